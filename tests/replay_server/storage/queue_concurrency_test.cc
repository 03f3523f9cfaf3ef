// Many writers and consumers at once, through the ports of the embedded mode, with
// consumers that die and hand their leases back.
#include <cstdint>
#include <map>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "common/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "replay_server/storage/local_ports.h"
#include "replay_server/storage/queue.h"
#include "tests/replay_server/example_rollouts.h"

namespace cadre {
namespace {

constexpr int kWriters = 4;
constexpr int kConsumers = 4;
constexpr uint64_t kRolloutsPerWriter = 3000;

QueueOptions FewSteps() {
  QueueOptions options;
  options.run_id = kRun;
  options.capacity_steps = 64;
  options.max_version_lag = 1'000'000;
  return options;
}

void ExpectBalanced(const v1::QueueInfo& info) {
  EXPECT_EQ(info.appended_rollouts(), info.acknowledged_rollouts() + info.dropped_stale_rollouts() +
                                          info.leased_rollouts() + info.waiting_rollouts());
}

void Write(Queue* queue, uint64_t writer) {
  auto sink = *QueueSink::Create(queue, kRun, ExampleSpec(), writer);
  Random random = Random::ForStream(1, writer);
  for (uint64_t sequence = 1; sequence <= kRolloutsPerWriter; ++sequence) {
    const int64_t steps = 1 + static_cast<int64_t>(random.Below(12));
    ASSERT_EQ(sink->Append(ExampleRollout(steps)), absl::OkStatus());
    if (sequence % 64 == 0) ExpectBalanced(queue->Info());
  }
}

// How often each rollout was consumed, by writer and sequence.
struct Consumed {
  absl::Mutex mutex;
  std::map<std::pair<uint64_t, uint64_t>, int> times ABSL_GUARDED_BY(mutex);
  uint64_t of_writers ABSL_GUARDED_BY(mutex) = 0;  // Without the filler's.

  void Add(const Lease& lease) {
    absl::MutexLock lock(&mutex);
    for (const v1::Rollout& rollout : lease.rollouts) {
      ++times[{rollout.writer_id(), rollout.sequence()}];
      if (rollout.writer_id() < kWriters) ++of_writers;
    }
  }
  uint64_t count() {
    absl::MutexLock lock(&mutex);
    return of_writers;
  }
};

// Takes until the queue closes; one lease in three is given back instead of used,
// and then the consumer is replaced by a new one.
void Consume(Queue* queue, uint64_t seed, Consumed* consumed) {
  Random random = Random::ForStream(2, seed);
  auto source = *QueueSource::Create(queue, kRun, ExampleSpec());
  while (true) {
    const int64_t steps = 1 + static_cast<int64_t>(random.Below(20));
    absl::StatusOr<Lease> lease = source->Take(steps, 0);
    if (!lease.ok()) return;
    if (random.Below(3) == 0) {
      source->Return(*std::move(lease));
      auto next = QueueSource::Create(queue, kRun, ExampleSpec());
      if (!next.ok()) return;
      source = *std::move(next);
      continue;
    }
    consumed->Add(*lease);
    ASSERT_EQ(source->Acknowledge(lease->id), absl::OkStatus());
  }
}

TEST(QueueConcurrencyTest, EachRolloutIsConsumedExactlyOnce) {
  Queue queue(FewSteps());
  Consumed consumed;
  std::vector<std::thread> writers, consumers;
  for (uint64_t i = 0; i < kConsumers; ++i)
    consumers.emplace_back([&queue, &consumed, i] { Consume(&queue, i, &consumed); });
  for (uint64_t i = 0; i < kWriters; ++i) writers.emplace_back([&queue, i] { Write(&queue, i); });
  for (std::thread& thread : writers) thread.join();
  // The last steps may be too few for any take: more come until all before are consumed.
  auto filler = *QueueSink::Create(&queue, kRun, ExampleSpec(), kWriters);
  while (consumed.count() < kWriters * kRolloutsPerWriter)
    ASSERT_EQ(filler->Append(ExampleRollout(1)), absl::OkStatus());
  queue.Close();
  for (std::thread& thread : consumers) thread.join();

  absl::MutexLock lock(&consumed.mutex);
  for (uint64_t writer = 0; writer < kWriters; ++writer)
    for (uint64_t sequence = 1; sequence <= kRolloutsPerWriter; ++sequence)
      ASSERT_EQ((consumed.times[{writer, sequence}]), 1)
          << "writer " << writer << ", sequence " << sequence;
  ExpectBalanced(queue.Info());
  EXPECT_GT(queue.Info().returned_rollouts(), 0);
  EXPECT_EQ(queue.Info().duplicate_rollouts(), 0);
}

}  // namespace
}  // namespace cadre
