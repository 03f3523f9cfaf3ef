#include "replay_server/storage/queue.h"

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/replay_server/example_rollouts.h"

namespace cadre {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

QueueOptions SmallQueue() {
  QueueOptions options;
  options.run_id = kRun;
  options.capacity_steps = 100;
  options.max_version_lag = 2;
  return options;
}

// What a Queue callback has brought, if anything yet.
using AppendAnswer = std::shared_ptr<std::optional<absl::Status>>;
using TakeAnswer = std::shared_ptr<std::optional<absl::StatusOr<Lease>>>;

class QueueTest : public ::testing::Test {
 protected:
  explicit QueueTest(QueueOptions options = SmallQueue()) : queue_(std::move(options)) {
    writer_stream_ = OpenWriter(kWriter);
    consumer_ = *queue_.OpenConsumer(kRun, ExampleSpec());
  }

  uint64_t OpenWriter(uint64_t writer) {
    return queue_
        .OpenWriter(kRun, writer, ExampleSpec(),
                    [this](uint64_t sequence) { settled_.push_back(sequence); })
        ->id;
  }

  AppendAnswer Append(uint64_t stream, v1::Rollout rollout) {
    auto answer = std::make_shared<std::optional<absl::Status>>();
    queue_.Append(stream, std::move(rollout), [answer](absl::Status status) {
      EXPECT_FALSE(answer->has_value()) << "answered twice";
      *answer = std::move(status);
    });
    return answer;
  }
  AppendAnswer Append(uint64_t sequence, int64_t steps, int64_t version = 0) {
    return Append(writer_stream_, ExampleRollout(kWriter, sequence, steps, version));
  }

  TakeAnswer Take(int64_t steps, int64_t version = 0) {
    auto answer = std::make_shared<std::optional<absl::StatusOr<Lease>>>();
    queue_.Take(consumer_, steps, version, [answer](absl::StatusOr<Lease> lease) {
      EXPECT_FALSE(answer->has_value()) << "answered twice";
      *answer = std::move(lease);
    });
    return answer;
  }
  Lease TakeNow(int64_t steps, int64_t version = 0) { return ***Take(steps, version); }

  static std::vector<uint64_t> Sequences(const Lease& lease) {
    std::vector<uint64_t> sequences;
    for (const v1::Rollout& rollout : lease.rollouts) sequences.push_back(rollout.sequence());
    return sequences;
  }

  void ExpectBalanced() {
    const v1::QueueInfo info = queue_.Info();
    EXPECT_EQ(info.appended_rollouts(), info.acknowledged_rollouts() +
                                            info.dropped_stale_rollouts() + info.leased_rollouts() +
                                            info.waiting_rollouts());
  }
  void TearDown() override { ExpectBalanced(); }

  static constexpr uint64_t kWriter = 7;
  Queue queue_;
  uint64_t writer_stream_ = 0;
  uint64_t consumer_ = 0;
  std::vector<uint64_t> settled_;
};

TEST_F(QueueTest, HandsOutWholeRolloutsOldestFirst) {
  for (uint64_t sequence : {1, 2, 3}) EXPECT_EQ(**Append(sequence, 10), absl::OkStatus());
  const Lease lease = TakeNow(15);
  EXPECT_THAT(Sequences(lease), ElementsAre(1, 2));
  EXPECT_EQ(lease.rollouts[1].SerializeAsString(),
            ExampleRollout(kWriter, 2, 10, 0).SerializeAsString());
  EXPECT_EQ(queue_.Info().waiting_steps(), 10);
  EXPECT_EQ(queue_.Info().leased_rollouts(), 2);
  EXPECT_THAT(Sequences(TakeNow(10)), ElementsAre(3));
}

TEST_F(QueueTest, TakeWaitsForEnoughSteps) {
  const TakeAnswer take = Take(20);
  Append(1, 10);
  EXPECT_FALSE(take->has_value());
  EXPECT_EQ(queue_.Info().waiting_consumers(), 1);
  Append(2, 10);
  ASSERT_TRUE(take->has_value());
  EXPECT_THAT(Sequences(***take), ElementsAre(1, 2));
  EXPECT_EQ(queue_.Info().waiting_consumers(), 0);
}

TEST_F(QueueTest, TakesAreAnsweredInTheirOrder) {
  const TakeAnswer large = Take(20);
  const TakeAnswer small = Take(10);
  Append(1, 10);
  EXPECT_FALSE(small->has_value()) << "it came second";
  Append(2, 10);
  Append(3, 10);
  EXPECT_THAT(Sequences(***large), ElementsAre(1, 2));
  EXPECT_THAT(Sequences(***small), ElementsAre(3));
}

TEST_F(QueueTest, HoldsBackWritersWhenStepsAreFull) {
  for (uint64_t sequence = 1; sequence <= 10; ++sequence) Append(sequence, 10);
  const AppendAnswer eleventh = Append(11, 10);
  EXPECT_FALSE(eleventh->has_value());
  EXPECT_EQ(queue_.Info().blocked_writers(), 1);
  EXPECT_EQ(queue_.Info().appended_rollouts(), 10);
  TakeNow(10);
  EXPECT_EQ(**eleventh, absl::OkStatus());
  EXPECT_EQ(queue_.Info().waiting_steps(), 100);
}

TEST_F(QueueTest, ParkedRolloutsGoInInTheirOrder) {
  const uint64_t other = OpenWriter(8);
  Append(1, 95);
  const AppendAnswer large = Append(2, 50);
  const AppendAnswer small = Append(other, ExampleRollout(8, 1, 5, 0));
  EXPECT_FALSE(small->has_value()) << "there is room for it, but another came before";
  TakeNow(95);
  EXPECT_TRUE(large->has_value());
  EXPECT_TRUE(small->has_value());
  const Lease lease = TakeNow(55);
  EXPECT_EQ(lease.rollouts[0].writer_id(), kWriter);
  EXPECT_EQ(lease.rollouts[1].writer_id(), 8);
}

TEST_F(QueueTest, AnEmptyQueueAdmitsWhateverItsSize) {
  EXPECT_EQ(**Append(1, 1000), absl::OkStatus());
  EXPECT_FALSE(Append(2, 1)->has_value());
}

TEST_F(QueueTest, ATakeThatLacksStepsMayPassTheCapacityByOneRollout) {
  Append(1, 60);
  const AppendAnswer second = Append(2, 60);
  EXPECT_FALSE(second->has_value());
  EXPECT_THAT(Sequences(TakeNow(100)), ElementsAre(1, 2)) << "else it would wait for ever";
  EXPECT_TRUE(second->has_value());
}

TEST_F(QueueTest, ATakeOfMoreThanTheCapacityIsRefused) {
  const absl::Status status = (**Take(101)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "queue 'on_policy': take of 101 steps; wanted 1 to its capacity of 100");
  EXPECT_EQ((**Take(0)).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ((**Take(1, -1)).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(QueueTest, CountsHowLongWhatWaitsHasWaited) {
  const auto spend = [] {
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(2);
    while (std::chrono::steady_clock::now() < until) continue;
  };
  const TakeAnswer take = Take(10);
  spend();
  EXPECT_GE(queue_.waits().waiting_consumers_seconds, 0.002);
  EXPECT_EQ(queue_.waits().held_rollouts_seconds, 0);
  Append(1, 10);
  ASSERT_TRUE(take->has_value());
  const double waited = queue_.waits().waiting_consumers_seconds;
  spend();
  EXPECT_EQ(queue_.waits().waiting_consumers_seconds, waited) << "it has got its rollout";
  EXPECT_GE(queue_.waits().held_rollouts_seconds, 0.002) << "leased";
  ASSERT_TRUE(queue_.Acknowledge((**take)->id).ok());
  const double held = queue_.waits().held_rollouts_seconds;
  spend();
  EXPECT_EQ(queue_.waits().held_rollouts_seconds, held) << "settled";

  Append(2, 100);
  EXPECT_EQ(queue_.waits().blocked_writers_seconds, 0);
  const AppendAnswer parked = Append(3, 1);
  spend();
  EXPECT_FALSE(parked->has_value());
  EXPECT_GE(queue_.waits().blocked_writers_seconds, 0.002);
  EXPECT_GE(queue_.waits().held_rollouts_seconds, held + 0.002);
}

class QueueBytesTest : public QueueTest {
 protected:
  // Exactly two rollouts of ten steps and sequence below 128.
  static QueueOptions TwoRollouts() {
    QueueOptions options = SmallQueue();
    options.capacity_bytes =
        2 * static_cast<int64_t>(ExampleRollout(kWriter, 1, 10, 0).ByteSizeLong());
    return options;
  }
  QueueBytesTest() : QueueTest(TwoRollouts()) {}
};

TEST_F(QueueBytesTest, HoldsBackWritersWhenBytesAreFull) {
  EXPECT_TRUE(Append(1, 10)->has_value());
  EXPECT_TRUE(Append(2, 10)->has_value());
  EXPECT_EQ(queue_.Info().waiting_bytes(), queue_.Info().capacity_bytes());
  const AppendAnswer third = Append(3, 10);
  EXPECT_FALSE(third->has_value());
  TakeNow(10);
  EXPECT_TRUE(third->has_value());
}

TEST_F(QueueBytesTest, ATakeThatTheBytesCanNeverHoldFails) {
  for (uint64_t sequence : {1, 2, 3}) Append(sequence, 10);
  const absl::Status status = (**Take(30)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("take of 30 steps; 20 steps fill"));
  EXPECT_THAT(Sequences(TakeNow(20)), ElementsAre(1, 2)) << "the next is not held up by it";
}

TEST_F(QueueTest, AcknowledgedLeasesAreGone) {
  Append(1, 10);
  const Lease lease = TakeNow(10);
  EXPECT_EQ(queue_.Acknowledge(lease.id), absl::OkStatus());
  EXPECT_EQ(queue_.Acknowledge(lease.id).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(queue_.Info().acknowledged_steps(), 10);
  EXPECT_EQ(queue_.Info().leased_rollouts(), 0);
}

TEST_F(QueueTest, ReturnedLeasesGoBackWhereTheyStood) {
  for (uint64_t sequence = 1; sequence <= 5; ++sequence) Append(sequence, 10);
  Lease first = TakeNow(20);
  Lease second = TakeNow(10);
  const std::string content = first.rollouts[0].SerializeAsString();
  queue_.Return(std::move(first));
  queue_.Return(std::move(second));
  EXPECT_EQ(queue_.Info().returned_rollouts(), 3);
  const Lease again = TakeNow(50);
  EXPECT_THAT(Sequences(again), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_EQ(again.rollouts[0].SerializeAsString(), content);
}

TEST_F(QueueTest, AReturnedLeaseAnswersAWaitingTake) {
  Append(1, 10);
  Lease lease = TakeNow(10);
  const TakeAnswer take = Take(10);
  queue_.Return(std::move(lease));
  ASSERT_TRUE(take->has_value());
  EXPECT_THAT(Sequences(***take), ElementsAre(1));
}

TEST_F(QueueTest, DuplicatesAreCountedAndIgnored) {
  Append(1, 10);
  EXPECT_EQ(**Append(1, 10), absl::OkStatus());
  queue_.Acknowledge(TakeNow(10).id).IgnoreError();
  EXPECT_EQ(**Append(1, 10), absl::OkStatus());
  EXPECT_EQ(queue_.Info().duplicate_rollouts(), 2);
  EXPECT_EQ(queue_.Info().appended_rollouts(), 1);
  EXPECT_EQ(queue_.Info().waiting_rollouts(), 0);
}

TEST_F(QueueTest, AGapChangesNothing) {
  Append(1, 10);
  const absl::Status status = **Append(3, 10);
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(status.message(), "writer 7 sent sequence 3; wanted 2");
  EXPECT_EQ(**Append(2, 10), absl::OkStatus());
  EXPECT_EQ(queue_.Info().refused_rollouts(), 0);
}

TEST_F(QueueTest, ABadRolloutIsRefusedByItself) {
  v1::Rollout bad = ExampleRollout(kWriter, 1, 10, 0);
  bad.mutable_columns(1)->resize(39);
  const absl::Status status = **Append(writer_stream_, bad);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "column 'reward' has 39 bytes; wanted 10 rows of 4 bytes");
  EXPECT_THAT(settled_, ElementsAre(1));
  EXPECT_EQ(**Append(2, 10), absl::OkStatus());
  EXPECT_EQ(queue_.Info().refused_rollouts(), 1);
  EXPECT_EQ(queue_.Info().appended_rollouts(), 1);
}

TEST_F(QueueTest, RolloutsOfOthersAreRefused) {
  v1::Rollout other_run = ExampleRollout(kWriter, 1, 10, 0);
  other_run.set_run_id("run-2");
  EXPECT_EQ((**Append(writer_stream_, other_run)).message(),
            "rollout has run id 'run-2'; wanted 'run-1'");
  EXPECT_EQ((**Append(writer_stream_, ExampleRollout(255, 2, 10, 0))).message(),
            "rollout has writer id ff; wanted 7, the stream's");
  EXPECT_EQ((**Append(3, 10, -1)).message(), "rollout has version -1; wanted 0 or more");
}

TEST_F(QueueTest, StaleRolloutsAreDroppedOnArrival) {
  const TakeAnswer take = Take(10, 5);
  EXPECT_EQ(**Append(1, 10, 2), absl::OkStatus()) << "version 2 is older than 5 - 2";
  EXPECT_FALSE(take->has_value());
  EXPECT_THAT(settled_, ElementsAre(1));
  EXPECT_EQ(**Append(2, 10, 3), absl::OkStatus());
  EXPECT_THAT(Sequences(***take), ElementsAre(2));
  EXPECT_EQ(queue_.Info().appended_rollouts(), 2);
  EXPECT_EQ(queue_.Info().dropped_stale_rollouts(), 1);
  EXPECT_EQ(queue_.Info().dropped_stale_steps(), 10);
}

TEST_F(QueueTest, RolloutsThatBecomeStaleAreDroppedAtHandOut) {
  Append(1, 10, 0);
  Append(2, 10, 3);
  Append(3, 10, 1);
  Append(4, 10, 4);
  EXPECT_THAT(Sequences(TakeNow(20, 4)), ElementsAre(2, 4));
  EXPECT_EQ(queue_.Info().dropped_stale_rollouts(), 2);
  EXPECT_EQ(queue_.Info().newest_version(), 4);
  EXPECT_THAT(settled_, ElementsAre(1)) << "2 is leased";
}

TEST_F(QueueTest, DroppingStaleOnesLetsParkedOnesIn) {
  Append(1, 100, 0);
  const AppendAnswer parked = Append(2, 50, 3);
  EXPECT_FALSE(parked->has_value());
  const TakeAnswer take = Take(50, 3);
  EXPECT_THAT(Sequences(***take), ElementsAre(2));
  EXPECT_TRUE(parked->has_value());
}

TEST_F(QueueTest, TheNewestVersionNeverGoesBack) {
  Append(1, 10, 5);
  Append(2, 10, 5);
  TakeNow(10, 5);
  TakeNow(10, 1);
  EXPECT_EQ(queue_.Info().newest_version(), 5);
  Append(3, 10, 2);
  EXPECT_EQ(queue_.Info().dropped_stale_rollouts(), 1);
}

TEST_F(QueueTest, LeasedRolloutsDoNotBecomeStaleUntilReturned) {
  Append(1, 10, 0);
  Append(2, 10, 0);
  const Lease kept = TakeNow(10, 0);
  Lease returned = TakeNow(10, 0);
  const TakeAnswer take = Take(10, 9);
  EXPECT_EQ(queue_.Acknowledge(kept.id), absl::OkStatus());
  queue_.Return(std::move(returned));
  EXPECT_FALSE(take->has_value());
  EXPECT_EQ(queue_.Info().dropped_stale_rollouts(), 1);
  EXPECT_EQ(queue_.Info().acknowledged_rollouts(), 1);
}

TEST_F(QueueTest, SettlesInOrderHoweverLeasesAreAcknowledged) {
  for (uint64_t sequence = 1; sequence <= 4; ++sequence) Append(sequence, 10);
  const Lease first = TakeNow(10), second = TakeNow(20);
  EXPECT_EQ(queue_.Acknowledge(second.id), absl::OkStatus());
  EXPECT_THAT(settled_, IsEmpty());
  EXPECT_EQ(queue_.Acknowledge(first.id), absl::OkStatus());
  EXPECT_THAT(settled_, ElementsAre(3));
}

TEST_F(QueueTest, AWriterThatComesBackLearnsWhatIsSettled) {
  Append(1, 10);
  Append(2, 10);
  const Lease lease = TakeNow(10);
  EXPECT_EQ(queue_.Acknowledge(lease.id), absl::OkStatus());
  queue_.CloseWriter(writer_stream_);
  std::vector<uint64_t> told;
  const auto stream = queue_.OpenWriter(kRun, kWriter, ExampleSpec(),
                                        [&told](uint64_t sequence) { told.push_back(sequence); });
  EXPECT_EQ(stream->settled_sequence, 1);
  EXPECT_EQ(**Append(stream->id, ExampleRollout(kWriter, 2, 10, 0)), absl::OkStatus());
  EXPECT_EQ(queue_.Info().duplicate_rollouts(), 1);
  EXPECT_EQ(queue_.Acknowledge(TakeNow(10).id), absl::OkStatus());
  EXPECT_THAT(told, ElementsAre(2));
  EXPECT_THAT(settled_, ElementsAre(1)) << "nothing more for the old stream";
  queue_.CloseWriter(stream->id);
}

TEST_F(QueueTest, TheOldStreamsCloseLeavesTheNewStreamsListener) {
  const uint64_t stream = OpenWriter(kWriter);
  queue_.CloseWriter(writer_stream_);
  Append(stream, ExampleRollout(kWriter, 1, 10, 0));
  EXPECT_EQ(queue_.Acknowledge(TakeNow(10).id), absl::OkStatus());
  EXPECT_THAT(settled_, ElementsAre(1));
}

TEST_F(QueueTest, ClosingAStreamCancelsWhatItParked) {
  const uint64_t other = OpenWriter(8);
  Append(1, 100);
  const AppendAnswer parked = Append(2, 10);
  const AppendAnswer behind = Append(other, ExampleRollout(8, 1, 10, 0));
  queue_.CloseWriter(writer_stream_);
  EXPECT_EQ((**parked).code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(behind->has_value());
  TakeNow(100);
  EXPECT_TRUE(behind->has_value());
  EXPECT_EQ((**Append(2, 10)).code(), absl::StatusCode::kCancelled);
}

TEST_F(QueueTest, ClosingAConsumerCancelsItsTakes) {
  const TakeAnswer gone = Take(10);
  const uint64_t gone_consumer = consumer_;
  consumer_ = *queue_.OpenConsumer(kRun, ExampleSpec());
  const TakeAnswer stays = Take(10);
  queue_.CloseConsumer(gone_consumer);
  EXPECT_EQ((**gone).status().code(), absl::StatusCode::kCancelled);
  Append(1, 10);
  EXPECT_TRUE((**stays).ok());
}

TEST_F(QueueTest, CloseWakesEverybody) {
  Append(1, 90);
  const AppendAnswer parked = Append(2, 50);
  queue_.Close();
  EXPECT_EQ((**parked).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ((**Take(10)).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ((**Append(2, 50)).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(queue_.OpenConsumer(kRun, ExampleSpec()).status().code(), absl::StatusCode::kCancelled);
}

TEST_F(QueueTest, CloseWakesTakes) {
  const TakeAnswer take = Take(10);
  queue_.Close();
  EXPECT_EQ((**take).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(queue_.Info().waiting_consumers(), 0);
}

TEST_F(QueueTest, ACallbackMayCallTheQueue) {
  Append(1, 10);
  bool acknowledged = false;
  queue_.Take(consumer_, 10, 0, [&](absl::StatusOr<Lease> lease) {
    acknowledged = queue_.Acknowledge(lease->id).ok();
  });
  EXPECT_TRUE(acknowledged);
}

TEST(QueueOpenTest, AnotherRunIsRefusedWithBothNames) {
  Queue queue(SmallQueue());
  const auto status = queue.OpenWriter("run-2", 1, ExampleSpec(), [](uint64_t) {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(), "queue 'on_policy': got run id 'run-2'; wanted 'run-1'");
  EXPECT_EQ(queue.OpenConsumer("", ExampleSpec()).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(QueueOpenTest, TheFirstToOpenNamesTheRun) {
  QueueOptions options = SmallQueue();
  options.run_id.clear();
  Queue queue(options);
  EXPECT_TRUE(queue.OpenConsumer("run-9", ExampleSpec()).ok());
  EXPECT_EQ(queue.Info().run_id(), "run-9");
  EXPECT_FALSE(queue.OpenConsumer(kRun, ExampleSpec()).ok());
}

TEST(QueueOpenTest, AnotherSpecIsRefusedWithBoth) {
  Queue queue(SmallQueue());
  ASSERT_TRUE(queue.OpenWriter(kRun, 1, ExampleSpec(), [](uint64_t) {}).ok());
  v1::ExperienceSpec other = ExampleSpec();
  other.mutable_columns(0)->set_shape(0, 3);
  const absl::Status status = queue.OpenConsumer(kRun, other).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("got {obs float32[3] per observation"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("wanted {obs float32[2] per observation"));
}

TEST(QueueOpenTest, ABadOpenDoesNotFixTheRunOrTheSpec) {
  QueueOptions options = SmallQueue();
  options.run_id.clear();
  Queue queue(options);
  EXPECT_FALSE(queue.OpenConsumer("run-9", v1::ExperienceSpec()).ok());
  EXPECT_TRUE(queue.OpenConsumer(kRun, ExampleSpec()).ok());
}

TEST_F(QueueTest, AValueThatIsNotFiniteIsRefusedWithItsPlace) {
  v1::Rollout bad = ExampleRollout(kWriter, 1, 10, 0);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  bad.mutable_columns(1)->replace(7 * sizeof nan, sizeof nan, reinterpret_cast<const char*>(&nan),
                                  sizeof nan);
  EXPECT_EQ((**Append(writer_stream_, bad)).message(),
            "column 'reward', row 7 is nan; wanted a finite number");
  bad = ExampleRollout(kWriter, 2, 10, 0);
  bad.add_episodes()->set_total_reward(nan);
  EXPECT_THAT(std::string((**Append(writer_stream_, bad)).message()),
              HasSubstr("episode 0 has a total reward of nan"));
  EXPECT_EQ(queue_.Info().refused_rollouts(), 2);
  EXPECT_EQ(**Append(3, 10), absl::OkStatus());
}

TEST_F(QueueTest, AnEnvironmentBelowZeroIsRefused) {
  v1::Rollout bad = ExampleRollout(kWriter, 1, 10, 0);
  bad.mutable_segments(0)->set_environment(-1);
  EXPECT_EQ((**Append(writer_stream_, bad)).message(),
            "segment 0 has environment -1; wanted 0 or more");
  bad = ExampleRollout(kWriter, 2, 10, 0);
  bad.set_actor(-1);
  EXPECT_EQ((**Append(writer_stream_, bad)).message(), "rollout has actor -1; wanted 0 or more");
}

// With settings that processes agree on.
v1::ExperienceSpec SpecWith(const std::string& environments, const std::string& length) {
  v1::ExperienceSpec spec = ExampleSpec();
  const auto add = [&spec](const char* field, const std::string& value) {
    v1::AgreedSetting& setting = *spec.add_agreed();
    setting.set_field(field);
    setting.set_value(value);
  };
  add("actors.environments_per_actor", environments);
  add("actors.segment_length", length);
  return spec;
}

TEST(QueueAgreementTest, ProcessesWithOtherSettingsAreRefusedByField) {
  Queue queue(SmallQueue());
  const auto ignore = [](uint64_t) {};
  const auto first = queue.OpenWriter(kRun, 1, SpecWith("3", "16"), ignore);
  ASSERT_TRUE(first.ok());
  const absl::Status refused = queue.OpenConsumer(kRun, SpecWith("4", "32")).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("actors.environments_per_actor: got 4; wanted 3, and "
                        "actors.segment_length: got 32; wanted 16"));
  EXPECT_TRUE(queue.OpenConsumer(kRun, SpecWith("3", "16")).ok());
  EXPECT_TRUE(queue.OpenWriter(kRun, 2, ExampleSpec(), ignore).ok()) << "it gives none";
}

TEST(QueueAgreementTest, AFieldThatALaterStreamGivesHoldsAsWell) {
  Queue queue(SmallQueue());
  v1::ExperienceSpec one_field = SpecWith("3", "16");
  one_field.mutable_agreed()->RemoveLast();
  ASSERT_TRUE(queue.OpenWriter(kRun, 1, one_field, [](uint64_t) {}).ok());
  ASSERT_TRUE(queue.OpenWriter(kRun, 2, SpecWith("3", "16"), [](uint64_t) {}).ok());
  EXPECT_THAT(std::string(queue.OpenConsumer(kRun, SpecWith("3", "32")).status().message()),
              HasSubstr("actors.segment_length: got 32; wanted 16"));
}

TEST(QueueAgreementTest, ARunThatWasRestartedMayComeWithOthers) {
  Queue queue(SmallQueue());
  const auto writer = queue.OpenWriter(kRun, 1, SpecWith("3", "16"), [](uint64_t) {});
  const auto consumer = queue.OpenConsumer(kRun, SpecWith("3", "16"));
  queue.CloseWriter(writer->id);
  EXPECT_FALSE(queue.OpenConsumer(kRun, SpecWith("4", "16")).ok());
  queue.CloseConsumer(*consumer);
  EXPECT_TRUE(queue.OpenConsumer(kRun, SpecWith("4", "16")).ok());
}

TEST(QueueAgreementTest, TheServersOwnSettingsHoldForAll) {
  QueueOptions options = SmallQueue();
  const v1::ExperienceSpec own = SpecWith("3", "16");
  options.agreed.assign(own.agreed().begin(), own.agreed().end());
  Queue queue(options);
  EXPECT_FALSE(queue.OpenConsumer(kRun, SpecWith("4", "16")).ok());
  EXPECT_TRUE(queue.OpenConsumer(kRun, own).ok());
}

TEST(QueueAgreementTest, AnEnvironmentThatTheWriterDoesNotHaveIsRefused) {
  Queue queue(SmallQueue());
  const auto stream = queue.OpenWriter(kRun, 1, SpecWith("3", "16"), [](uint64_t) {});
  v1::Rollout rollout = ExampleRollout(1, 1, 10, 0);
  rollout.mutable_segments(0)->set_environment(3);
  absl::Status status;
  queue.Append(stream->id, rollout, [&](absl::Status answer) { status = std::move(answer); });
  EXPECT_EQ(status.message(),
            "a segment has environment 3; wanted less than actors.environments_per_actor, 3");
  rollout.set_sequence(2);
  rollout.mutable_segments(0)->set_environment(2);
  queue.Append(stream->id, rollout, [&](absl::Status answer) { status = std::move(answer); });
  EXPECT_TRUE(status.ok()) << status;
}

}  // namespace
}  // namespace cadre
