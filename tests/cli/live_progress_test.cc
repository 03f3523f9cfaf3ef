#include "cli/live_progress.h"

#include <cstdlib>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using testing::ElementsAre;

const MonotonicTime kStart = MonotonicTime::Now();

Progress HalfWay() {
  Progress progress;
  progress.env_steps = 75'000;
  progress.updates = 36;
  progress.version = 37;
  progress.episodes = 1'412;
  progress.mean_return = 213.42;
  progress.mean_length = 213.42;
  progress.wall_seconds = 25;
  progress.steps_per_second = 3'012.6;
  progress.version_lag = 1;
  progress.max_version_lag = 2;
  progress.waiting_share = 0.634;
  progress.diagnostics = {{"policy_loss", -0.01234}, {"value_loss", 31.2}, {"approx_kl", 0.0091}};
  return progress;
}

ProgressGoal Goal() { return {"ppo-cartpole", 150'000, 475}; }

// A file that can be read back.
class Output {
 public:
  Output() : file_(std::tmpfile()) {}
  ~Output() { std::fclose(file_); }
  std::FILE* file() const { return file_; }
  // What was written since the last call.
  std::string Take() {
    std::string text;
    std::fseek(file_, at_, SEEK_SET);
    for (int c; (c = std::fgetc(file_)) != EOF;) text.push_back(static_cast<char>(c));
    at_ += static_cast<long>(text.size());
    return text;
  }

 private:
  std::FILE* const file_;
  long at_ = 0;
};

TEST(LiveProgressTest, FormatsCounts) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1'000), "1,000");
  EXPECT_EQ(FormatCount(1'234'567), "1,234,567");
  EXPECT_EQ(FormatCount(-123), "-123");
  EXPECT_EQ(FormatCount(-123'456), "-123,456");
}

TEST(LiveProgressTest, FormatsDurations) {
  EXPECT_EQ(FormatClock(absl::Seconds(7.9)), "0:07");
  EXPECT_EQ(FormatClock(absl::Seconds(12 * 60 + 34)), "12:34");
  EXPECT_EQ(FormatClock(absl::Seconds(3'600)), "1:00:00");
  EXPECT_EQ(FormatClock(absl::Seconds(100 * 3'600 + 62)), "100:01:02");
  EXPECT_EQ(FormatClock(absl::InfiniteDuration()), "-");
}

TEST(LiveProgressTest, FormatsNumbers) {
  EXPECT_EQ(FormatNumber(475), "475.0");
  EXPECT_EQ(FormatNumber(-0.012344), "-0.01234");
  EXPECT_EQ(FormatNumber(1.5e9), "1.500e+09");
  EXPECT_EQ(FormatNumber(std::nan("")), "-");
}

TEST(LiveProgressTest, TimeLeftGoesByTheAverageSpeed) {
  // 75,000 steps took 25 s; so will the other 75,000.
  EXPECT_EQ(TimeLeft(HalfWay(), Goal()), absl::Seconds(25));
  EXPECT_EQ(TimeLeft(Progress(), Goal()), absl::InfiniteDuration());
  Progress beyond = HalfWay();
  beyond.env_steps = 200'000;
  EXPECT_EQ(TimeLeft(beyond, Goal()), absl::ZeroDuration());
}

TEST(LiveProgressTest, TheBlock) {
  EXPECT_THAT(
      FormatBlock(HalfWay(), Goal(), absl::Seconds(26), 80),
      ElementsAre("ppo-cartpole  [===================>                  ]  50 %  0:26, 0:25 left",
                  "return 213.4 of 475.0 (last 100 episodes)   length 213.4   episodes 1,412",
                  "steps 75,000 of 150,000   3,013 steps/s   version 37, lag 1 (most 2)",
                  "waiting for: experience 63 % / learning 37 %",
                  "policy_loss -0.01234   value_loss 31.20   approx_kl 0.009100"));
}

TEST(LiveProgressTest, TheBlockBeforeTheFirstStep) {
  ProgressGoal goal = Goal();
  goal.mean_return.reset();
  EXPECT_THAT(FormatBlock(Progress(), goal, absl::ZeroDuration(), 80),
              ElementsAre("ppo-cartpole  [>                                     ]   0 %  0:00, "
                          "- left",
                          "return - (last 100 episodes)   length -   episodes 0",
                          "steps 0 of 150,000   0 steps/s   version 0, lag 0 (most 0)",
                          "waiting for: experience 0 % / learning 100 %"));
}

TEST(LiveProgressTest, TheBarIsFullOnlyAtTheEnd) {
  Progress progress = HalfWay();
  progress.env_steps = 149'999;
  EXPECT_EQ(FormatBlock(progress, Goal(), absl::Seconds(50), 60)[0],
            "ppo-cartpole  [====================>]  99 %  0:50, 0:00 left");
  progress.env_steps = 150'016;
  EXPECT_EQ(FormatBlock(progress, Goal(), absl::Seconds(50), 60)[0],
            "ppo-cartpole  [=====================] 100 %  0:50, 0:00 left");
}

TEST(LiveProgressTest, NoLineIsWiderThanTheTerminal) {
  for (int width : {1, 20, 39, 40, 41, 60, 80, 200}) {
    for (const std::string& line : FormatBlock(HalfWay(), Goal(), absl::Hours(30), width)) {
      EXPECT_LE(line.size(), width);
    }
  }
  EXPECT_THAT(
      FormatBlock(HalfWay(), Goal(), absl::Seconds(26), 44),
      testing::IsSupersetOf({"length 213.4   episodes 1,412", "version 37, lag 1 (most 2)",
                             "policy_loss -0.01234   value_loss 31.20", "approx_kl 0.009100"}));
}

TEST(LiveProgressTest, TheLine) {
  EXPECT_EQ(FormatLine(HalfWay(), Goal(), absl::Seconds(26)),
            "ppo-cartpole: 50 %, steps 75000 of 150000, return 213.4 of 475.0, episodes 1412, "
            "updates 36, 3013 steps/s, lag 1, waiting 63 %, 0:26, 0:25 left");
}

TEST(LiveProgressTest, ElsewhereThanOnATerminalItWritesALineEveryFewSecondsAndTheLast) {
  Output output;
  LiveProgress live(Goal(), {}, output.file(), kStart);
  Progress progress = HalfWay();
  auto line = [&](int seconds) {
    return FormatLine(progress, Goal(), absl::Seconds(seconds)) + "\n";
  };

  live.Update(progress, kStart + absl::Seconds(1));
  EXPECT_EQ(output.Take(), line(1));
  progress.env_steps = 80'000;
  live.Update(progress, kStart + absl::Seconds(5));
  EXPECT_EQ(output.Take(), "");
  progress.env_steps = 81'000;
  live.Update(progress, kStart + absl::Seconds(6));
  EXPECT_EQ(output.Take(), line(6));
  progress.env_steps = 82'000;
  live.Update(progress, kStart + absl::Seconds(7));
  live.Print("saved a checkpoint");
  EXPECT_EQ(output.Take(), "saved a checkpoint\n");
  live.Finish(kStart + absl::Seconds(8));
  EXPECT_EQ(output.Take(), line(8));
  live.Finish(kStart + absl::Seconds(9));
  EXPECT_EQ(output.Take(), "");
}

TEST(LiveProgressTest, TheVerdictIsShownUntilItIsOver) {
  Output lines, terminal;
  LiveProgress plain(Goal(), {}, lines.file(), kStart);
  LiveProgress block(Goal(), {.terminal = true, .width = 40}, terminal.file(), kStart);
  for (LiveProgress* live : {&plain, &block}) {
    live->SetVerdict("actor-bound: add about 6 actors (the learner waited 60 % of the time)");
    live->Update(HalfWay(), kStart);
  }
  EXPECT_EQ(lines.Take(), FormatLine(HalfWay(), Goal(), absl::ZeroDuration()) +
                              ", actor-bound: add about 6 actors\n");
  EXPECT_THAT(terminal.Take(),
              testing::HasSubstr("verdict: actor-bound: add about 6 actors\x1b[K\n"))
      << "cut at 40 columns";
  plain.SetVerdict("");
  plain.Update(HalfWay(), kStart + absl::Seconds(9));
  EXPECT_EQ(lines.Take(), FormatLine(HalfWay(), Goal(), absl::Seconds(9)) + "\n");
}

TEST(LiveProgressTest, OnATerminalItRedrawsInPlaceTenTimesASecondAtMost) {
  Output output;
  LiveProgress live(Goal(), {.terminal = true, .width = 80}, output.file(), kStart);
  Progress progress = HalfWay();
  auto block = [&](double seconds) {
    std::string text;
    for (const std::string& line : FormatBlock(progress, Goal(), absl::Seconds(seconds), 80)) {
      text += line + "\x1b[K\n";
    }
    return text + "\x1b[J";
  };
  live.Update(progress, kStart);
  EXPECT_EQ(output.Take(), block(0));
  progress.env_steps = 76'000;
  live.Update(progress, kStart + absl::Milliseconds(99));
  EXPECT_EQ(output.Take(), "");
  live.Update(progress, kStart + absl::Milliseconds(100));
  EXPECT_EQ(output.Take(), "\x1b[5A" + block(0.1));
  live.Print("saved a checkpoint");
  EXPECT_EQ(output.Take(), "\x1b[5Asaved a checkpoint\x1b[K\n" + block(0.1));

  progress.diagnostics.clear();  // A line less.
  live.Update(progress, kStart + absl::Milliseconds(150));
  live.Finish(kStart + absl::Milliseconds(160));
  EXPECT_EQ(output.Take(), "\x1b[5A" + block(0.16));
  live.Update(progress, kStart + absl::Seconds(1));
  EXPECT_EQ(output.Take(), block(1));  // Below what Finish left.
}

TEST(LiveProgressTest, ColoursOnlyTheFirstLineAndOnlyWhenAsked) {
  Output output;
  LiveProgress live(Goal(), {.terminal = true, .color = true, .width = 80}, output.file(), kStart);
  live.Update(HalfWay(), kStart);
  const std::string text = output.Take();
  EXPECT_THAT(text, testing::StartsWith("\x1b[1;36mppo-cartpole  [="));
  EXPECT_THAT(text, testing::HasSubstr("left\x1b[0m\x1b[K\nreturn"));
}

TEST(LiveProgressTest, AFileIsNoTerminal) {
  Output output;
  setenv("TERM", "xterm", 1);
  const LiveProgress::Options options = LiveProgress::OptionsFor(output.file());
  EXPECT_FALSE(options.terminal);
  EXPECT_FALSE(options.color);
}

// On a pseudo-terminal of its own.
TEST(LiveProgressTest, ATerminalHasColoursUnlessToldOtherwise) {
  std::FILE* terminal = std::fopen("/dev/ptmx", "r+");
  if (terminal == nullptr) GTEST_SKIP() << "no pseudo-terminals here";
  setenv("TERM", "xterm", 1);
  unsetenv("NO_COLOR");
  EXPECT_TRUE(LiveProgress::OptionsFor(terminal).terminal);
  EXPECT_TRUE(LiveProgress::OptionsFor(terminal).color);
  setenv("NO_COLOR", "1", 1);
  EXPECT_TRUE(LiveProgress::OptionsFor(terminal).terminal);
  EXPECT_FALSE(LiveProgress::OptionsFor(terminal).color);
  setenv("TERM", "dumb", 1);
  EXPECT_FALSE(LiveProgress::OptionsFor(terminal).terminal);
  std::fclose(terminal);
}

}  // namespace
}  // namespace cadre
