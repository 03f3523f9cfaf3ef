#include "param_server/parameter_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <thread>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "tests/param_server/test_parameters.h"

namespace cadre {
namespace {

using ::testing::HasSubstr;

constexpr v1::RunState kRunning = v1::RUN_STATE_RUNNING;

class CountingWaiter final : public ParameterStore::Waiter {
 public:
  void OnChange() override { ++calls; }
  std::atomic<int> calls = 0;
};

float FirstValue(const v1::Parameters& parameters) {
  float value;
  std::memcpy(&value, parameters.values().data(), sizeof(value));
  return value;
}

void ExpectRefused(ParameterStore& store, ParametersPtr parameters, absl::StatusCode code,
                   const std::string& message) {
  const absl::Status status = store.Publish(std::move(parameters));
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(message));
}

TEST(ParameterStoreTest, ReadersShareThePublishedVersion) {
  ParameterStore store("run");
  EXPECT_EQ(store.Read("policy").newest, nullptr);
  const ParametersPtr first = MakeParameters(1);
  ASSERT_TRUE(store.Publish(first).ok());
  EXPECT_EQ(store.Read("policy").newest, first);
  EXPECT_EQ(store.Read("critic").newest, nullptr);
  const ParametersPtr third = MakeParameters(3);
  ASSERT_TRUE(store.Publish(third).ok());
  EXPECT_EQ(store.Read("policy").newest, third);
}

TEST(ParameterStoreTest, ModelsHaveVersionsOfTheirOwn) {
  ParameterStore store("run");
  auto critic = MakeParameters(2, 9);
  critic->set_model("critic");
  ASSERT_TRUE(store.Publish(MakeParameters(5)).ok());
  ASSERT_TRUE(store.Publish(critic).ok());
  ASSERT_TRUE(store.Publish(MakeParameters(6)).ok());
  const auto models = store.Models();
  ASSERT_EQ(models.size(), 2);
  EXPECT_EQ(models[0].model(), "critic");
  EXPECT_EQ(models[0].bytes(), 36);
  EXPECT_EQ(models[1].model(), "policy");
  EXPECT_EQ(models[1].version(), 6);
  EXPECT_EQ(models[1].publications(), 2);
}

TEST(ParameterStoreTest, AVersionMustBeNewer) {
  ParameterStore store("run");
  ASSERT_TRUE(store.Publish(MakeParameters(5)).ok());
  ExpectRefused(store, MakeParameters(4), absl::StatusCode::kFailedPrecondition,
                "model 'policy' version 4 is not newer than the stored version 5");
  auto other = MakeParameters(5);
  other->set_env_steps(1);
  ExpectRefused(store, other, absl::StatusCode::kFailedPrecondition, "is not newer");
  EXPECT_EQ(store.Read("policy").newest->env_steps(), 500);
}

TEST(ParameterStoreTest, PublishingTheSameAgainIsARetry) {
  ParameterStore store("run");
  const ParametersPtr first = MakeParameters(5);
  ASSERT_TRUE(store.Publish(first).ok());
  EXPECT_TRUE(store.Publish(MakeParameters(5)).ok());
  EXPECT_EQ(store.Read("policy").newest, first);
  EXPECT_EQ(store.Models()[0].publications(), 1);
}

TEST(ParameterStoreTest, SizeAndLayoutMayNotChange) {
  ParameterStore store("run");
  ASSERT_TRUE(store.Publish(MakeParameters(1)).ok());
  ExpectRefused(store, MakeParameters(2, 5), absl::StatusCode::kFailedPrecondition,
                "20 bytes of values; the stored version 1 has 16");
  auto other = MakeParameters(2);
  other->set_layout_fingerprint(0x1234);
  ExpectRefused(store, other, absl::StatusCode::kFailedPrecondition,
                "layout 1234; the stored version 1 has layout abcd");
}

TEST(ParameterStoreTest, UnsoundParametersAreRefused) {
  ParameterStore store("run");
  const auto invalid = absl::StatusCode::kInvalidArgument;
  auto nameless = MakeParameters(1);
  nameless->clear_model();
  ExpectRefused(store, nameless, invalid, "without a model name");
  ExpectRefused(store, MakeParameters(0), invalid, "version 0: versions start at 1");
  ExpectRefused(store, MakeParameters(1, 0), invalid, "0 bytes of values; wanted a multiple of 4");
  auto ragged = MakeParameters(1);
  ragged->set_values("12345");
  ExpectRefused(store, ragged, invalid, "5 bytes of values; wanted a multiple of 4");
  auto nan = MakeParameters(7);
  nan->set_values(ValuesBytes({1, 2, std::nanf("")}));
  ExpectRefused(store, nan, invalid,
                "model 'policy' version 7: value 2 is nan; wanted finite numbers");
  auto statistic = MakeParameters(7);
  statistic->add_statistics()->set_name("reward.variance");
  statistic->mutable_statistics(0)->add_values(INFINITY);
  ExpectRefused(store, statistic, invalid, "statistic 'reward.variance' holds inf");
  EXPECT_TRUE(store.Models().empty());
}

TEST(ParameterStoreTest, OnlyTheRunThatItServes) {
  ParameterStore store("monday");
  EXPECT_TRUE(store.CheckRunId("monday").ok());
  EXPECT_EQ(store.CheckRunId("tuesday").message(),
            "run id 'tuesday' differs; this server serves run 'monday'");
}

TEST(ParameterStoreTest, FinishedIsFinal) {
  ParameterStore store("run");
  EXPECT_EQ(store.Read("").run_state, kRunning);
  EXPECT_TRUE(absl::IsInvalidArgument(store.SetRunState(v1::RUN_STATE_UNSPECIFIED)));
  EXPECT_TRUE(absl::IsInvalidArgument(store.SetRunState(static_cast<v1::RunState>(9))));
  EXPECT_TRUE(store.SetRunState(v1::RUN_STATE_PAUSED).ok());
  EXPECT_TRUE(store.SetRunState(kRunning).ok());
  EXPECT_TRUE(store.SetRunState(v1::RUN_STATE_FINISHED).ok());
  EXPECT_TRUE(store.SetRunState(v1::RUN_STATE_FINISHED).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(store.SetRunState(kRunning)));
}

TEST(ParameterStoreTest, AWaiterIsToldOnceOfWhatItWaitsFor) {
  ParameterStore store("run");
  CountingWaiter waiter;
  ASSERT_TRUE(store.AddWaiter(&waiter, "policy", 2, kRunning));
  ASSERT_TRUE(store.Publish(MakeParameters(2)).ok());  // Known already.
  auto critic = MakeParameters(9);
  critic->set_model("critic");
  ASSERT_TRUE(store.Publish(critic).ok());  // Another model.
  EXPECT_EQ(waiter.calls, 0);
  ASSERT_TRUE(store.Publish(MakeParameters(3)).ok());
  ASSERT_TRUE(store.Publish(MakeParameters(4)).ok());
  EXPECT_EQ(waiter.calls, 1);
  EXPECT_FALSE(store.RemoveWaiter(&waiter));
}

TEST(ParameterStoreTest, AWaiterIsNotRegisteredWhereThereIsNewsAlready) {
  ParameterStore store("run");
  CountingWaiter waiter;
  ASSERT_TRUE(store.Publish(MakeParameters(3)).ok());
  EXPECT_FALSE(store.AddWaiter(&waiter, "policy", 2, kRunning));
  EXPECT_FALSE(store.AddWaiter(&waiter, "policy", 3, v1::RUN_STATE_PAUSED));
  ASSERT_TRUE(store.AddWaiter(&waiter, "policy", 3, kRunning));
  ASSERT_TRUE(store.SetRunState(v1::RUN_STATE_PAUSED).ok());
  EXPECT_EQ(waiter.calls, 1);
}

TEST(ParameterStoreTest, ARemovedWaiterIsNotTold) {
  ParameterStore store("run");
  CountingWaiter waiter;
  ASSERT_TRUE(store.AddWaiter(&waiter, "policy", 0, kRunning));
  EXPECT_TRUE(store.RemoveWaiter(&waiter));
  ASSERT_TRUE(store.Publish(MakeParameters(1)).ok());
  EXPECT_EQ(waiter.calls, 0);
}

TEST(ParameterStoreTest, CloseTellsWaitersAndRefusesPublications) {
  ParameterStore store("run");
  CountingWaiter waiter;
  ASSERT_TRUE(store.AddWaiter(&waiter, "policy", 0, kRunning));
  store.Close();
  EXPECT_EQ(waiter.calls, 1);
  EXPECT_FALSE(store.AddWaiter(&waiter, "policy", 0, kRunning));
  EXPECT_TRUE(absl::IsUnavailable(store.Publish(MakeParameters(1))));
  EXPECT_TRUE(absl::IsUnavailable(store.SetRunState(kRunning)));
  EXPECT_TRUE(absl::IsCancelled(store.WaitNewer("policy", 0, absl::InfiniteDuration()).status()));
}

TEST(ParameterStoreTest, WaitNewerNamesWhatItDidNotGet) {
  ParameterStore store("run");
  ASSERT_TRUE(store.Publish(MakeParameters(4)).ok());
  EXPECT_EQ((*store.WaitNewer("policy", 3, absl::ZeroDuration()))->version(), 4);
  const absl::Status status = store.WaitNewer("policy", 4, absl::ZeroDuration()).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status));
  EXPECT_EQ(status.message(), "no version of 'policy' newer than 4 in time; the newest is 4");
}

TEST(ParameterStoreTest, WaitNewerWaitsWhilePaused) {
  ParameterStore store("run");
  ASSERT_TRUE(store.SetRunState(v1::RUN_STATE_PAUSED).ok());
  ASSERT_TRUE(store.Publish(MakeParameters(1)).ok());
  EXPECT_TRUE(
      absl::IsDeadlineExceeded(store.WaitNewer("policy", 0, absl::ZeroDuration()).status()));
  std::thread waiting(
      [&store] { EXPECT_TRUE(store.WaitNewer("policy", 0, absl::InfiniteDuration()).ok()); });
  ASSERT_TRUE(store.SetRunState(kRunning).ok());
  waiting.join();
}

TEST(ParameterStoreTest, FinishedEndsWaitsEvenWhereThereIsANewerVersion) {
  ParameterStore store("run");
  std::thread waiting([&store] {
    EXPECT_TRUE(absl::IsFailedPrecondition(
        store.WaitNewer("policy", 0, absl::InfiniteDuration()).status()));
  });
  ASSERT_TRUE(store.SetRunState(v1::RUN_STATE_FINISHED).ok());
  waiting.join();
  ASSERT_TRUE(store.Publish(MakeParameters(1)).ok());
  EXPECT_TRUE(
      absl::IsFailedPrecondition(store.WaitNewer("policy", 0, absl::ZeroDuration()).status()));
}

// A waiter that follows the store as a Watch stream does.
class FollowingWaiter final : public ParameterStore::Waiter {
 public:
  FollowingWaiter(ParameterStore& store, int64_t last) : store_(store), last_(last) {}

  void OnChange() override { Follow(); }
  void Follow() {
    do {
      const ParametersPtr newest = store_.Read("policy").newest;
      const int64_t version = newest == nullptr ? 0 : newest->version();
      EXPECT_GE(version, seen_);
      seen_ = version;
      if (seen_ == last_) {
        done.Notify();
        return;
      }
    } while (!store_.AddWaiter(this, "policy", seen_, kRunning));
  }

  absl::Notification done;

 private:
  ParameterStore& store_;
  const int64_t last_;
  int64_t seen_ = 0;  // Passed on with the turn, as in WatchReactor.
};

TEST(ParameterStoreTest, ReadersSeeWholeVersionsInOrderWhileTwoPublish) {
  constexpr int64_t kLast = 400;
  ParameterStore store("run");
  FollowingWaiter first(store, kLast), second(store, kLast);
  first.Follow();
  second.Follow();
  const auto read = [&store] {
    for (int64_t seen = 0; seen < kLast;) {
      const auto newer = store.WaitNewer("policy", seen, absl::InfiniteDuration());
      ASSERT_TRUE(newer.ok());
      const v1::Parameters& parameters = **newer;
      ASSERT_GT(parameters.version(), seen);
      seen = parameters.version();
      ASSERT_EQ(FirstValue(parameters), static_cast<float>(seen));
    }
  };
  // Both publish all versions; of each, one comes first and the other is a retry, or late.
  const auto publish = [&store] {
    for (int64_t version = 1; version <= kLast; ++version) {
      const absl::Status status = store.Publish(MakeParameters(version));
      EXPECT_TRUE(status.ok() || absl::IsFailedPrecondition(status)) << status;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) threads.emplace_back(read);
  for (int i = 0; i < 2; ++i) threads.emplace_back(publish);
  for (std::thread& thread : threads) thread.join();
  first.done.WaitForNotification();
  second.done.WaitForNotification();
  EXPECT_EQ(store.Models()[0].publications(), kLast);
}

}  // namespace
}  // namespace cadre
