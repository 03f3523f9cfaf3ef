// Tables of exactly the smallest capacity that config validation or the table itself accepts:
// every window is completed, those that no episode's end cuts short among them.
#include "replay_server/storage/table_capacity.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/config/config.h"
#include "common/config/replay_config.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "replay_server/storage/table.h"
#include "tests/replay_server/replay_experience.h"

namespace cadre {
namespace {

using ::testing::HasSubstr;

// The number after `phrase`.
int64_t NumberAfter(const std::string& text, const std::string& phrase) {
  const size_t at = text.find(phrase);
  EXPECT_NE(at, std::string::npos) << text;
  if (at == std::string::npos) return 0;
  const size_t begin = at + phrase.size();
  int64_t number = 0;
  EXPECT_TRUE(absl::SimpleAtoi(
      text.substr(begin, text.find_first_not_of("0123456789", begin) - begin), &number));
  return number;
}

struct Case {
  int writers, environments, length, n_step;
};

ExperimentConfig ConfigOf(const Case& c) {
  return ResolveConfig(*ParseConfig(
      absl::StrCat("dqn { gamma: 0.9 } actors { count: ", c.writers,
                   " environments_per_actor: ", c.environments, " segment_length: ", c.length,
                   " } replay { n_step: ", c.n_step, " warmup_steps: 100 batch_size: 8 }"),
      "test"));
}

// Writers that send a rollout each in every round, in an order that changes. Every second
// environment ends an episode with each step, the others never do.
class Rounds {
 public:
  Rounds(Table* table, const Case& c) : case_(c) {
    for (int w = 0; w < c.writers; ++w)
      writers_.push_back(std::make_unique<TestWriter>(table, 100 + w));
  }

  void Play() {
    for (int i = 0; i < case_.writers; ++i) {
      const int w = round_ % 2 == 0 ? i : case_.writers - 1 - i;
      const TestWriter::Answer answer = writers_[w]->Append(RolloutOf(w));
      ASSERT_EQ(answer->size(), 1);
      ASSERT_TRUE(answer->front().ok()) << answer->front();
    }
    ++round_;
  }

  int64_t steps() const { return int64_t{round_} * case_.length; }
  // Windows that are complete.
  int64_t items() const {
    const int64_t endless = (case_.environments + 1) / 2, ending = case_.environments / 2;
    return case_.writers *
           (endless * std::max<int64_t>(0, steps() - case_.n_step + 1) + ending * steps());
  }

 private:
  v1::Rollout RolloutOf(int writer) const {
    v1::Rollout rollout = EmptyReplayRollout();
    for (int e = 0; e < case_.environments; ++e) {
      const int episode = writer * case_.environments + e;
      if (e % 2 == 0) {
        AddSegment(&rollout, episode, steps(), case_.length, v1::SEGMENT_END_CUT, e);
        continue;
      }
      for (int k = 0; k < case_.length; ++k)
        AddSegment(&rollout, episode, 0, 1, v1::SEGMENT_END_TERMINATED, e);
    }
    return rollout;
  }

  const Case case_;
  std::vector<std::unique_ptr<TestWriter>> writers_;
  int round_ = 0;
};

// Samples until an item of an episode that goes on was seen, of all its steps.
void ExpectWholeWindows(Table& table, int n_step) {
  const uint64_t sampler = *table.OpenSampler(kReplayRun, ReplaySpec());
  const ReplayBatch batch = *table.Sample(sampler, {.items = 200});
  int whole = 0;
  for (int64_t i = 0; i < batch.items; ++i) {
    if (batch.columns[4].As<float>()[i] == 0) continue;  // Its episode ended.
    EXPECT_EQ(batch.columns[3].As<float>()[2 * i + 1] - batch.columns[0].As<float>()[2 * i + 1],
              n_step);
    ++whole;
  }
  EXPECT_GT(whole, 0);
}

class SmallestTableTest : public ::testing::TestWithParam<Case> {};

TEST_P(SmallestTableTest, OfStepsCompletesEveryWindow) {
  ExperimentConfig config = ConfigOf(GetParam());
  config.mutable_replay()->set_capacity_steps(1);
  const int64_t smallest = NumberAfter(CapacityStepsError(config), "wanted at least ");
  config.mutable_replay()->set_capacity_steps(smallest - 1);
  EXPECT_NE(CapacityStepsError(config), "");
  config.mutable_replay()->set_capacity_steps(smallest);
  EXPECT_EQ(CapacityStepsError(config), "");

  TableOptions options = ReplayTableOptions();
  options.config = ReplayTable(config);
  options.writers = TableWritersOf(config);
  const auto table = *Table::Create(options);
  Rounds rounds(table.get(), GetParam());
  while (rounds.steps() < 3 * GetParam().n_step + 5 || rounds.items() < 2 * smallest)
    ASSERT_NO_FATAL_FAILURE(rounds.Play());
  EXPECT_EQ(table->Info().inserted_items(), rounds.items());
  EXPECT_LE(table->Info().items(), smallest);
  if (GetParam().n_step == 1) {
    EXPECT_EQ(table->Info().items(), smallest);
  }
  ExpectWholeWindows(*table, GetParam().n_step);
}

TEST_P(SmallestTableTest, OfBytesCompletesEveryWindowAndHoldsTheWarmUp) {
  ExperimentConfig config = ConfigOf(GetParam());
  config.mutable_replay()->set_warmup_steps(3000);
  TableOptions options = ReplayTableOptions();
  options.config = ReplayTable(config);
  options.config.set_capacity_bytes(20'000);
  options.writers = TableWritersOf(config);
  const auto too_small = *Table::Create(options);
  const absl::Status refused = too_small->OpenSampler(kReplayRun, ReplaySpec()).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  const int64_t smallest =
      NumberAfter(std::string(refused.message()), "capacity_bytes is 20000 and would be ");
  options.config.set_capacity_bytes(smallest - 1);
  EXPECT_FALSE((*Table::Create(options))->OpenSampler(kReplayRun, ReplaySpec()).ok());

  options.config.set_capacity_bytes(smallest);
  const auto table = *Table::Create(options);
  Rounds rounds(table.get(), GetParam());
  const int64_t all = GetParam().writers * GetParam().environments;
  while (rounds.steps() < 3 * GetParam().n_step + 5 || rounds.steps() * all < 12'000) {
    ASSERT_NO_FATAL_FAILURE(rounds.Play());
    if (rounds.steps() * all >= 3000) {
      ASSERT_GE(table->Info().items(), options.config.rate_limiter().min_size());
    }
  }
  EXPECT_EQ(table->Info().inserted_items(), rounds.items());
  ExpectWholeWindows(*table, GetParam().n_step);
}

INSTANTIATE_TEST_SUITE_P(Shapes, SmallestTableTest,
                         ::testing::Values(Case{1, 64, 2, 50}, Case{1, 2048, 1, 10},
                                           Case{4, 512, 1, 10}, Case{1, 1, 1, 1}, Case{3, 2, 7, 1},
                                           Case{2, 3, 5, 2}, Case{3, 4, 5, 11}, Case{1, 1, 1, 200},
                                           Case{2, 1, 64, 3}));

TEST(TableCapacityTest, AConfigWithoutRoomForItsWindowsIsRefusedBeforeTheFirstStream) {
  // Only windows that end an episode would ever be items.
  ExperimentConfig config = ConfigOf({1, 2048, 1, 10});
  config.mutable_replay()->set_capacity_steps(10'000);
  TableOptions options = ReplayTableOptions();
  options.config = ReplayTable(config);
  options.writers = TableWritersOf(config);
  const auto table = *Table::Create(options);
  const absl::Status status = table->OpenSampler(kReplayRun, ReplaySpec()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("capacity_items is 10000 and would be "));
}

// Nobody has said who will write.
TEST(TableCapacityTest, ASequenceLongerThanTheTableIsRefusedWhenAStreamOpens) {
  TableOptions options = ReplayTableOptions();
  options.config.set_capacity_bytes(60'000);
  options.config.mutable_sequences()->set_length(1000);
  const absl::Status refused =
      (*Table::Create(options))->OpenSampler(kReplayRun, ReplaySpec()).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  options.config.set_capacity_bytes(
      NumberAfter(std::string(refused.message()), "capacity_bytes is 60000 and would be "));
  const auto table = *Table::Create(options);
  EXPECT_TRUE(table->OpenSampler(kReplayRun, ReplaySpec()).ok());
  TestWriter writer(table.get(), 1);
  for (int episode = 0; episode < 3; ++episode) {
    EXPECT_TRUE(
        writer.Append(ReplayRollout(episode, 1000, v1::SEGMENT_END_TERMINATED))->front().ok());
    EXPECT_EQ(table->Info().items(), 25) << "of period 40";
  }
}

TEST(TableCapacityTest, CapacityItemsLeaveRoomForALongSequence) {
  TableOptions options = ReplayTableOptions();
  options.config.set_capacity_bytes(64 << 20);
  options.config.set_capacity_items(1);
  options.config.mutable_sequences()->set_length(30'000);
  options.config.mutable_sequences()->set_period(100);
  const auto table = *Table::Create(options);
  TestWriter writer(table.get(), 1);
  for (int64_t t = 0; t < 40'000; t += 100) {
    v1::Rollout rollout = EmptyReplayRollout();
    AddSegment(&rollout, 1, t, 100, v1::SEGMENT_END_CUT);
    ASSERT_TRUE(writer.Append(std::move(rollout))->front().ok());
  }
  EXPECT_EQ(table->Info().items(), 1);
}

// Appends rollouts of some environments until one is refused, and says why; "" if none is.
std::string RefusalOf(const TableOptions& options, const Case& c, int64_t* items) {
  const auto table = *Table::Create(options);
  TestWriter writer(table.get(), 1);
  for (int64_t t = 0; t < 300; t += c.length) {
    v1::Rollout rollout = EmptyReplayRollout();
    for (int e = 0; e < c.environments; ++e)
      AddSegment(&rollout, e, t, c.length, v1::SEGMENT_END_CUT, e);
    const TestWriter::Answer answer = writer.Append(std::move(rollout));
    if (!answer->front().ok()) return std::string(answer->front().message());
  }
  *items = table->Info().inserted_items();
  return "";
}

TEST(TableCapacityTest, RolloutsWhoseWindowsNeverFitAreRefusedWithTheSmallestThatDoes) {
  TableOptions options = ReplayTableOptions();
  options.config.set_capacity_bytes(1 << 30);
  options.config.set_capacity_items(10'000);
  options.config.mutable_transitions()->set_n_step(10);
  const Case c{1, 2048, 1, 10};
  int64_t items = 0;
  const std::string refusal = RefusalOf(options, c, &items);
  EXPECT_THAT(refusal, HasSubstr("of 2048 environments in segments of 1"));
  options.config.set_capacity_items(NumberAfter(refusal, "capacity_items is 10000 and would be "));
  EXPECT_EQ(RefusalOf(options, c, &items), "");
  EXPECT_EQ(items, 2048 * 291);

  options.config.clear_capacity_items();
  options.config.set_capacity_bytes(100'000);
  const Case few{1, 30, 5, 50};
  options.config.mutable_sequences()->set_length(50);
  const std::string of_bytes = RefusalOf(options, few, &items);
  options.config.set_capacity_bytes(
      NumberAfter(of_bytes, "capacity_bytes is 100000 and would be "));
  EXPECT_EQ(RefusalOf(options, few, &items), "");
  EXPECT_EQ(items, 30 * 7) << "of period 40";
}

// Writers whose episodes never end, with one step of each environment in a rollout.
class EndlessWriters {
 public:
  EndlessWriters(Table* table, int writers, int environments) : environments_(environments) {
    for (int w = 0; w < writers; ++w)
      writers_.push_back(std::make_unique<TestWriter>(table, 100 + w));
  }

  // The next rollout of writer `w`.
  absl::Status Append(size_t w) {
    v1::Rollout rollout = EmptyReplayRollout();
    for (int e = 0; e < environments_; ++e)
      AddSegment(&rollout, e, step_, 1, v1::SEGMENT_END_CUT, e);
    const TestWriter::Answer answer = writers_[w]->Append(std::move(rollout));
    return answer->empty() ? absl::InternalError("parked") : answer->front();
  }
  // Of every writer, so many rounds; what each was answered in the last round.
  std::vector<absl::Status> Play(int rounds) {
    std::vector<absl::Status> last(writers_.size());
    for (int round = 0; round < rounds; ++round, ++step_)
      for (size_t w = 0; w < writers_.size(); ++w) last[w] = Append(w);
    return last;
  }

 private:
  const int environments_;
  std::vector<std::unique_ptr<TestWriter>> writers_;
  int64_t step_ = 0;
};

// The smallest table for two writers with three environments each, and windows of ten steps.
TableOptions SmallestForTwo() {
  TableOptions options = ReplayTableOptions();
  options.config.mutable_transitions()->set_n_step(10);
  options.config.set_capacity_bytes(1);
  options.writers = TableWriters{.count = 2, .environments = 3, .segment_length = 1};
  const absl::Status refused =
      (*Table::Create(options))->OpenSampler(kReplayRun, ReplaySpec()).status();
  options.config.set_capacity_bytes(
      NumberAfter(std::string(refused.message()), "capacity_bytes is 1 and would be "));
  return options;
}

int64_t SmallestThatIsNamed(const TableOptions& options, const absl::Status& refusal) {
  return NumberAfter(
      std::string(refusal.message()),
      absl::StrCat("capacity_bytes is ", options.config.capacity_bytes(), " and would be "));
}

TEST(TableCapacityTest, WritersBeyondTheConfigsAreRefusedAndTheOthersContinue) {
  TableOptions options = SmallestForTwo();
  absl::Status refusal;
  {
    const auto table = *Table::Create(options);
    EndlessWriters six(table.get(), 6, 3);
    const std::vector<absl::Status> last = six.Play(100);
    EXPECT_EQ(last[0], absl::OkStatus());
    EXPECT_EQ(last[1], absl::OkStatus());
    for (size_t w = 2; w < 6; ++w) {
      EXPECT_EQ(last[w].code(), absl::StatusCode::kInvalidArgument);
      EXPECT_THAT(
          std::string(last[w].message()),
          HasSubstr("of 18 environments of 6 writers in segments of 1, capacity_bytes is "));
      EXPECT_THAT(std::string(last[w].message()), HasSubstr("; it was sized for the config's 6"));
    }
    refusal = last[5];
    const int64_t before = table->Info().inserted_items();
    six.Play(50);
    EXPECT_EQ(table->Info().inserted_items() - before, 50 * 2 * 3) << "one for each step";
  }
  options.config.set_capacity_bytes(SmallestThatIsNamed(options, refusal));
  const auto table = *Table::Create(options);
  EndlessWriters six(table.get(), 6, 3);
  for (const absl::Status& status : six.Play(100)) EXPECT_EQ(status, absl::OkStatus());
  EXPECT_EQ(table->Info().inserted_items(), (100 - 9) * 6 * 3);
}

TEST(TableCapacityTest, EnvironmentsBeyondTheConfigsAreRefused) {
  TableOptions options = SmallestForTwo();
  absl::Status refusal;
  {
    const auto table = *Table::Create(options);
    refusal = EndlessWriters(table.get(), 1, 30).Play(100).front();
    ASSERT_EQ(refusal.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(refusal.message()), HasSubstr("of 30 environments in segments of 1"));
  }
  options.config.set_capacity_bytes(SmallestThatIsNamed(options, refusal));
  const auto table = *Table::Create(options);
  EXPECT_EQ(EndlessWriters(table.get(), 1, 30).Play(100).front(), absl::OkStatus());
  EXPECT_EQ(table->Info().inserted_items(), (100 - 9) * 30);
}

TEST(TableCapacityTest, AWriterOfWhichNothingIsHeldLeavesItsPlaceToAnother) {
  const auto table = *Table::Create(SmallestForTwo());
  EndlessWriters three(table.get(), 3, 3);
  EXPECT_FALSE(three.Play(100)[2].ok());
  // The first one is still connected, but appends no more.
  absl::Status last;
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(three.Append(1), absl::OkStatus());
    last = three.Append(2);
  }
  EXPECT_EQ(last, absl::OkStatus());
}

TEST(TableCapacityTest, AWarmUpThatTheTableCannotHoldIsRefused) {
  TableOptions options = ReplayTableOptions();
  options.config.set_capacity_bytes(100'000);  // Some 1,100 rows.
  options.config.mutable_rate_limiter()->set_min_size(1000);
  int64_t items = 0;
  EXPECT_EQ(RefusalOf(options, {1, 1, 100, 1}, &items), "");
  const std::string refusal = RefusalOf(options, {1, 10, 1, 1}, &items);
  EXPECT_THAT(refusal, HasSubstr("rate_limiter.min_size, 1000"));
  options.config.set_capacity_bytes(NumberAfter(refusal, "capacity_bytes is 100000 and would be "));
  EXPECT_EQ(RefusalOf(options, {1, 10, 1, 1}, &items), "");
  EXPECT_EQ(items, 3000);
}

}  // namespace
}  // namespace cadre
