#include "cli/supervised_process.h"

#include <signal.h>
#include <stdlib.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/process/shutdown.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/learner/temp_folder.h"

namespace cadre {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Longer than anything here takes: a hang shall be red.
constexpr absl::Duration kLong = absl::Seconds(60);

// A shell script as the child.
SupervisedProcess::Options Shell(const std::string& script) {
  SupervisedProcess::Options options;
  options.name = "worker 1";
  options.command = {"/bin/sh", "-c", script};
  return options;
}

// Runs it until it has ended for good.
std::unique_ptr<SupervisedProcess> RunToEnd(SupervisedProcess::Options options) {
  auto process = std::make_unique<SupervisedProcess>(std::move(options));
  process->Start();
  EXPECT_TRUE(process->WaitFor(kLong));
  EXPECT_TRUE(process->ended());
  EXPECT_EQ(process->pid(), 0);
  return process;
}

TEST(SupervisedProcessTest, AChildThatExitsWithZeroIsDone) {
  SupervisedProcess::Options options = Shell("exit 0");
  int ends = 0;
  options.on_end = [&] { ++ends; };
  auto process = RunToEnd(std::move(options));
  EXPECT_TRUE(process->status().ok()) << process->status();
  EXPECT_EQ(process->restarts(), 0);
  process.reset();
  EXPECT_EQ(ends, 1);
}

TEST(SupervisedProcessTest, OneThatIsToldToEndAsksNobodyWhetherItIsNeeded) {
  SupervisedProcess::Options options =
      Shell("trap 'exit 0' TERM; echo up; while :; do sleep 0.1; done");
  absl::Notification up;
  options.on_line = [&](absl::string_view) { up.Notify(); };
  std::atomic<int> asked = 0;
  options.still_needed = [&] { return ++asked > 0; };
  SupervisedProcess process(std::move(options));
  process.Start();
  up.WaitForNotification();
  process.Terminate();
  EXPECT_TRUE(process.WaitFor(kLong));
  EXPECT_EQ(asked, 0);
}

TEST(SupervisedProcessTest, OneThatDoesNotEndIsKilledAfterItsTime) {
  SupervisedProcess::Options options = Shell("trap '' TERM; echo up; while :; do sleep 0.1; done");
  absl::Notification up;
  options.on_line = [&](absl::string_view) { up.Notify(); };
  options.kill_after = absl::Milliseconds(10);
  SupervisedProcess process(std::move(options));
  process.Start();
  up.WaitForNotification();
  process.End();
  EXPECT_TRUE(process.ended());
  EXPECT_EQ(process.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(process.status().message()),
              HasSubstr("worker 1 did not end within 10ms and was killed"));
}

// In a script: what common/process/stop_answer.h does.
constexpr char kAnswer[] = "echo . > /proc/self/fd/$CADRE_STOP_PIPE; ";

// Starts a child that does `then` when it is asked to end, and ends it.
absl::Status EndOneThat(const std::string& then, absl::Duration kill_after,
                        absl::Duration save_pause) {
  SupervisedProcess::Options options =
      Shell(absl::StrCat("trap '", then, "' TERM; echo up; while :; do sleep 0.05; done"));
  absl::Notification up;
  options.on_line = [&](absl::string_view) { up.Notify(); };
  options.kill_after = kill_after;
  options.save_pause = save_pause;
  SupervisedProcess process(std::move(options));
  process.Start();
  up.WaitForNotification();
  process.End();
  EXPECT_TRUE(process.ended());
  return process.status();
}

TEST(SupervisedProcessTest, OneThatSavesIsGivenTheTimeItTakes) {
  // Longer than it would have without an answer, and than it may be silent.
  const absl::Status status =
      EndOneThat(absl::StrCat(kAnswer, "for i in 1 2 3 4 5; do sleep 1; ", kAnswer, "done; exit 0"),
                 /*kill_after=*/absl::Seconds(2), /*save_pause=*/absl::Seconds(4));
  EXPECT_TRUE(status.ok()) << status;
}

TEST(SupervisedProcessTest, OneThatSavesAndDoesNotAnswerIsKilledAtOnce) {
  EXPECT_EQ(
      EndOneThat("", absl::Milliseconds(10), kLong),
      absl::DeadlineExceededError("worker 1 did not answer a stop within 10ms and was killed"));
}

TEST(SupervisedProcessTest, OneThatAnswersAndThenHangsIsKilledAfterThePause) {
  EXPECT_EQ(EndOneThat(kAnswer, absl::Seconds(2), absl::Milliseconds(10)),
            absl::DeadlineExceededError("worker 1 saved nothing for 10ms and was killed"));
}

TEST(SupervisedProcessTest, AChildThatHasNothingToSaveIsNotTakenForOneThatHas) {
  ASSERT_EQ(setenv("CADRE_STOP_PIPE", "1", 1), 0);  // Of whoever supervises this process.
  const auto process = RunToEnd(Shell("test -z \"$CADRE_STOP_PIPE\""));
  unsetenv("CADRE_STOP_PIPE");
  EXPECT_TRUE(process->status().ok()) << process->status();
}

TEST(SupervisedProcessTest, AChildThatASignalKillsIsStartedAgain) {
  const TempFolder folder;
  const auto process =
      RunToEnd(Shell(absl::StrCat("cd ", folder.path(), " && mkdir lived && kill -9 $$; exit 0")));
  EXPECT_TRUE(process->status().ok()) << process->status();
  EXPECT_EQ(process->restarts(), 1);
}

TEST(SupervisedProcessTest, AChildThatExitsWithZeroIsStartedAgainWhileItIsNeeded) {
  SupervisedProcess::Options options = Shell("exit 0");
  int asked = 0;
  options.still_needed = [&] { return ++asked < 3; };
  const auto process = RunToEnd(std::move(options));
  EXPECT_TRUE(process->status().ok()) << process->status();
  EXPECT_EQ(process->restarts(), 2);
}

TEST(SupervisedProcessTest, WhatStartingAgainWouldRepeatIsForGood) {
  const TempFolder folder;
  const std::pair<int, absl::StatusCode> kinds[] = {{2, absl::StatusCode::kInvalidArgument},
                                                    {4, absl::StatusCode::kFailedPrecondition},
                                                    {5, absl::StatusCode::kDataLoss},
                                                    {6, absl::StatusCode::kResourceExhausted}};
  for (const auto& [code, status] : kinds) {
    SupervisedProcess::Options options = Shell(
        absl::StrCat("echo first >&2; echo 'sh: error: last of ", code, "' >&2; exit ", code));
    options.log_path = folder / "log";
    const auto process = RunToEnd(std::move(options));
    EXPECT_EQ(process->restarts(), 0);
    EXPECT_EQ(process->status(), absl::Status(status, absl::StrCat("worker 1 exited with status ",
                                                                   code, ": last of ", code)));
  }
  EXPECT_THAT(Slurp(folder / "log"),
              HasSubstr("last of 2\nfirst\nsh: error: last of 4\n"));  // Appended.
}

TEST(SupervisedProcessTest, AProgramThatIsNotThereIsForGood) {
  SupervisedProcess::Options options;
  options.name = "worker 1";
  options.command = {"/no/such/program"};
  const auto process = RunToEnd(std::move(options));
  EXPECT_EQ(process->restarts(), 0);
  EXPECT_EQ(process->status(), absl::NotFoundError("cannot execute /no/such/program"));
}

TEST(SupervisedProcessTest, GivesUpOnAChildThatDiesAgainAndAgain) {
  SupervisedProcess::Options options = Shell("exit 3");
  options.max_quick_deaths = 3;
  const auto process = RunToEnd(std::move(options));
  EXPECT_EQ(process->restarts(), 2);
  EXPECT_EQ(process->status(),
            absl::UnavailableError("worker 1 exited with status 3; that was its death number 3 in "
                                   "a row, each within 10s"));
}

TEST(SupervisedProcessTest, DeliversLinesEvenALastOneWithoutAnEnd) {
  SupervisedProcess::Options options = Shell("printf 'one\\n\\nthree\\nfour'");
  std::vector<std::string> lines;
  options.on_line = [&](absl::string_view line) { lines.emplace_back(line); };
  RunToEnd(std::move(options));
  EXPECT_THAT(lines, ElementsAre("one", "", "three", "four"));
}

TEST(SupervisedProcessTest, TerminateEndsTheChildThoughTheSignalsAreBlockedHere) {
  ShutdownSignal shutdown;
  SupervisedProcess::Options options = Shell("echo ready; exec sleep 1000");
  absl::Notification ready;
  options.on_line = [&](absl::string_view) { ready.Notify(); };
  options.still_needed = [] { return true; };
  SupervisedProcess process(std::move(options));
  process.Start();
  ready.WaitForNotification();
  EXPECT_GT(process.pid(), 0);
  EXPECT_FALSE(process.WaitFor(absl::ZeroDuration()));
  process.Terminate();
  EXPECT_TRUE(process.WaitFor(kLong));
  EXPECT_TRUE(process.status().ok()) << process.status();
  EXPECT_EQ(process.restarts(), 0);
}

TEST(SupervisedProcessTest, TerminateEndsTheWaitForAnotherStart) {
  SupervisedProcess::Options options = Shell("echo ready; kill -9 $$");
  options.max_quick_deaths = 1000;
  absl::Notification ready;
  options.on_line = [&](absl::string_view) {
    if (!ready.HasBeenNotified()) ready.Notify();
  };
  SupervisedProcess process(std::move(options));
  process.Start();
  ready.WaitForNotification();
  process.Terminate();
  EXPECT_TRUE(process.WaitFor(kLong));
  EXPECT_TRUE(process.status().ok()) << process.status();
}

TEST(SupervisedProcessTest, OneThatIsToldToEndFirstNeverStarts) {
  const TempFolder folder;
  SupervisedProcess process(Shell(absl::StrCat("mkdir ", folder / "lived")));
  process.Terminate();
  process.Start();
  EXPECT_TRUE(process.WaitFor(kLong));
  EXPECT_TRUE(process.status().ok()) << process.status();
  EXPECT_FALSE(std::filesystem::exists(folder / "lived"));
}

}  // namespace
}  // namespace cadre
