#include "replay_server/storage/local_ports.h"

#include <memory>
#include <thread>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/replay_server/example_rollouts.h"

namespace cadre {
namespace {

class LocalPortsTest : public ::testing::Test {
 protected:
  static QueueOptions TenSteps() {
    QueueOptions options;
    options.capacity_steps = 10;
    return options;
  }
  Queue queue_{TenSteps()};
  std::unique_ptr<QueueSink> sink_ = *QueueSink::Create(&queue_, kRun, ExampleSpec(), 7);
  std::unique_ptr<QueueSource> source_ = *QueueSource::Create(&queue_, kRun, ExampleSpec());

  // Returns once the queue says so. Nothing else may change it meanwhile.
  void WaitForBlockedWriter() {
    while (queue_.Info().blocked_writers() == 0) std::this_thread::yield();
  }
  void WaitForWaitingConsumer() {
    while (queue_.Info().waiting_consumers() == 0) std::this_thread::yield();
  }
};

TEST_F(LocalPortsTest, ColumnsAreMovedNeverCopied) {
  v1::Rollout rollout = ExampleRollout(10);
  const char* data = rollout.columns(0).data();
  ASSERT_TRUE(sink_->Append(std::move(rollout)).ok());
  const Lease lease = *source_->Take(10, 0);
  EXPECT_EQ(lease.rollouts[0].columns(0).data(), data);
}

TEST_F(LocalPortsTest, TheSinkAddressesRollouts) {
  ASSERT_TRUE(sink_->Append(ExampleRollout(4)).ok());
  ASSERT_TRUE(sink_->Append(ExampleRollout(4)).ok());
  const Lease lease = *source_->Take(8, 0);
  ASSERT_EQ(lease.rollouts.size(), 2);
  EXPECT_EQ(lease.rollouts[1].run_id(), kRun);
  EXPECT_EQ(lease.rollouts[1].writer_id(), 7);
  EXPECT_EQ(lease.rollouts[1].sequence(), 2);
}

TEST_F(LocalPortsTest, ARefusedRolloutDoesNotStopTheNext) {
  v1::Rollout bad = ExampleRollout(4);
  bad.mutable_columns()->RemoveLast();
  EXPECT_EQ(sink_->Append(bad).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(sink_->Append(ExampleRollout(4)).ok());
  EXPECT_EQ(queue_.Info().waiting_rollouts(), 1);
}

TEST_F(LocalPortsTest, AppendBlocksUntilThereIsRoom) {
  ASSERT_TRUE(sink_->Append(ExampleRollout(10)).ok());
  absl::Status second;
  std::thread writer([&] { second = sink_->Append(ExampleRollout(10)); });
  WaitForBlockedWriter();
  EXPECT_TRUE(source_->Take(10, 0).ok());
  writer.join();
  EXPECT_EQ(second, absl::OkStatus());
}

TEST_F(LocalPortsTest, TakeBlocksUntilThereIsEnough) {
  absl::StatusOr<Lease> lease;
  std::thread consumer([&] { lease = source_->Take(10, 0); });
  WaitForWaitingConsumer();
  ASSERT_TRUE(sink_->Append(ExampleRollout(10)).ok());
  consumer.join();
  ASSERT_TRUE(lease.ok());
  EXPECT_TRUE(source_->Acknowledge(lease->id).ok());
}

TEST_F(LocalPortsTest, CloseOfTheSinkEndsItsAppend) {
  ASSERT_TRUE(sink_->Append(ExampleRollout(10)).ok());
  absl::Status second;
  std::thread writer([&] { second = sink_->Append(ExampleRollout(10)); });
  WaitForBlockedWriter();
  sink_->Close();
  writer.join();
  EXPECT_EQ(second.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(sink_->Append(ExampleRollout(1)).code(), absl::StatusCode::kCancelled);
}

TEST_F(LocalPortsTest, CloseOfTheSourceEndsItsTake) {
  absl::StatusOr<Lease> lease;
  std::thread consumer([&] { lease = source_->Take(10, 0); });
  WaitForWaitingConsumer();
  source_->Close();
  consumer.join();
  EXPECT_EQ(lease.status().code(), absl::StatusCode::kCancelled);
}

TEST_F(LocalPortsTest, MismatchesAreToldAtOnce) {
  EXPECT_EQ(QueueSink::Create(&queue_, "run-2", ExampleSpec(), 8).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(QueueSource::Create(&queue_, "run-2", ExampleSpec()).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace cadre
