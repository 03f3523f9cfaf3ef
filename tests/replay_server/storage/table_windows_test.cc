// Items that are longer than a step, against naive loops over whole episodes: however
// the episodes were cut into segments and whoever else wrote between them.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "replay_server/storage/item_windows.h"
#include "replay_server/storage/table.h"
#include "tests/replay_server/replay_experience.h"

namespace cadre {
namespace {

struct TestEpisode {
  int64_t length = 0;   // Of the whole episode.
  int64_t written = 0;  // Steps so far.
  bool terminates = false;

  bool ended() const { return written == length; }
};

// Several environments of several writers that play one episode after another, and send
// them cut at random.
class Players {
 public:
  Players(Table* table, int writers, int environments, int64_t longest, uint64_t seed)
      : environments_(environments), longest_(longest), random_(seed) {
    for (int w = 0; w < writers; ++w) {
      writers_.push_back(std::make_unique<TestWriter>(table, 100 + w));
      playing_.emplace_back(environments, -1);
    }
  }

  // One writer's next rollout: some steps of some of its environments.
  void Play() {
    const size_t w = random_.Below(writers_.size());
    v1::Rollout rollout = EmptyReplayRollout();
    while (rollout.segments().empty())
      for (int e = 0; e < environments_; ++e)
        for (uint64_t segments = random_.Below(3); segments > 0; --segments)
          PlaySegment(&playing_[w][e], e, &rollout);
    const TestWriter::Answer answer = writers_[w]->Append(std::move(rollout));
    ASSERT_EQ(answer->size(), 1);
    ASSERT_TRUE(answer->front().ok()) << answer->front();
  }

  const std::vector<TestEpisode>& episodes() const { return episodes_; }

 private:
  void PlaySegment(int* playing, int32_t environment, v1::Rollout* rollout) {
    if (*playing < 0) {
      *playing = static_cast<int>(episodes_.size());
      episodes_.push_back({.length = 1 + static_cast<int64_t>(random_.Below(longest_)),
                           .terminates = random_.Below(2) == 0});
    }
    TestEpisode& episode = episodes_[*playing];
    const int64_t steps =
        std::min<int64_t>(1 + random_.Below(12), episode.length - episode.written);
    const bool ends = episode.written + steps == episode.length;
    AddSegment(rollout, *playing, episode.written, steps,
               !ends                ? v1::SEGMENT_END_CUT
               : episode.terminates ? v1::SEGMENT_END_TERMINATED
                                    : v1::SEGMENT_END_TRUNCATED,
               environment);
    episode.written += steps;
    if (ends) *playing = -1;
  }

  const int environments_;
  const int64_t longest_;
  Random random_;
  std::vector<std::unique_ptr<TestWriter>> writers_;
  std::vector<std::vector<int>> playing_;  // By writer and environment; -1: none.
  std::vector<TestEpisode> episodes_;
};

// Each item is handed out once, oldest first.
TableOptions EachOnce() {
  TableOptions options = ReplayTableOptions();
  options.config.set_capacity_bytes(32 << 20);
  options.config.mutable_sampler()->mutable_fifo();
  options.config.set_max_times_sampled(1);
  return options;
}

constexpr double kGamma = 0.9;

// An n-step item that begins at step t, computed from the whole episode.
struct Transition {
  double reward = 0;
  int64_t next = 0;  // Step of the next observation.
  double discount = 0;
};
Transition NaiveTransition(int id, const TestEpisode& episode, int64_t t, int64_t n) {
  Transition item{.next = t, .discount = 1};
  for (int64_t k = 0; k < n && t + k < episode.length; ++k) {
    item.reward += item.discount * ReplayReward(id, t + k);
    item.discount *= kGamma;
    ++item.next;
  }
  if (item.next == episode.length && episode.terminates) item.discount = 0;
  return item;
}

void ExpectTransition(const ReplayBatch& batch, int64_t i, const Transition& item) {
  EXPECT_EQ(batch.columns[3].As<float>()[2 * i], batch.columns[0].As<float>()[2 * i]);
  EXPECT_EQ(batch.columns[3].As<float>()[2 * i + 1], static_cast<float>(item.next));
  EXPECT_NEAR(batch.columns[2].As<float>()[i], item.reward, 1e-5 * (1 + item.reward));
  EXPECT_FLOAT_EQ(batch.columns[4].As<float>()[i], static_cast<float>(item.discount));
}

class NStepTest : public ::testing::TestWithParam<int> {};

TEST_P(NStepTest, AgreesWithANaiveLoopOverAThousandEpisodes) {
  const int64_t n = GetParam();
  TableOptions options = EachOnce();
  options.config.mutable_transitions()->set_n_step(static_cast<int32_t>(n));
  options.config.mutable_transitions()->set_gamma(kGamma);
  const auto table = *Table::Create(options);
  const uint64_t sampler = *table->OpenSampler(kReplayRun, ReplaySpec());
  Players players(table.get(), 3, 4, 40, /*seed=*/n);
  while (players.episodes().size() < 1000) players.Play();

  int64_t expected = 0;
  for (const TestEpisode& episode : players.episodes())
    expected += episode.ended() ? episode.length : std::max<int64_t>(0, episode.written - n + 1);
  ASSERT_EQ(table->Info().items(), expected);
  ASSERT_EQ(table->Info().inserted_items(), expected);
  const ReplayBatch batch = *table->Sample(sampler, {.items = expected});
  std::map<std::pair<int, int64_t>, int> times;
  for (int64_t i = 0; i < batch.items; ++i) {
    const int id = static_cast<int>(batch.columns[0].As<float>()[2 * i]);
    const auto t = static_cast<int64_t>(batch.columns[0].As<float>()[2 * i + 1]);
    ++times[{id, t}];
    EXPECT_EQ(batch.columns[1].As<int32_t>()[i], t);
    ExpectTransition(batch, i, NaiveTransition(id, players.episodes()[id], t, n));
  }
  EXPECT_EQ(times.size(), expected) << "each item once";
}

INSTANTIATE_TEST_SUITE_P(Steps, NStepTest, ::testing::Values(1, 2, 3, 5, 17, 64));

TEST(NStepWindowsTest, AgreeWhileOldSegmentsGo) {
  TableOptions options = ReplayTableOptions();
  options.config.set_capacity_items(500);
  options.config.mutable_transitions()->set_n_step(5);
  options.config.mutable_transitions()->set_gamma(kGamma);
  const auto table = *Table::Create(options);
  const uint64_t sampler = *table->OpenSampler(kReplayRun, ReplaySpec());
  Players players(table.get(), 2, 3, 60, /*seed=*/9);
  for (int round = 0; round < 2000; ++round) {
    players.Play();
    if (table->Info().items() == 0) continue;
    ASSERT_LE(table->Info().items(), 500);
    const ReplayBatch batch = *table->Sample(sampler, {.items = 8});
    for (int64_t i = 0; i < batch.items; ++i) {
      const int id = static_cast<int>(batch.columns[0].As<float>()[2 * i]);
      const auto t = static_cast<int64_t>(batch.columns[0].As<float>()[2 * i + 1]);
      ExpectTransition(batch, i, NaiveTransition(id, players.episodes()[id], t, 5));
    }
  }
}

// Where any segment may go, an item ends with the last one that still leads on.
TEST(NStepWindowsTest, EndAtACutWhoseContinuationIsGone) {
  TableOptions options = ReplayTableOptions();
  options.config.set_capacity_items(300);
  options.config.mutable_transitions()->set_n_step(9);
  options.config.mutable_transitions()->set_gamma(kGamma);
  options.config.mutable_remover()->mutable_uniform();
  const auto table = *Table::Create(options);
  const uint64_t sampler = *table->OpenSampler(kReplayRun, ReplaySpec());
  Players players(table.get(), 2, 3, 60, /*seed=*/10);
  int64_t shorter = 0;
  for (int round = 0; round < 3000; ++round) {
    players.Play();
    if (table->Info().items() == 0) continue;
    const ReplayBatch batch = *table->Sample(sampler, {.items = 8});
    for (int64_t i = 0; i < batch.items; ++i) {
      const int id = static_cast<int>(batch.columns[0].As<float>()[2 * i]);
      const auto t = static_cast<int64_t>(batch.columns[0].As<float>()[2 * i + 1]);
      const int64_t steps = static_cast<int64_t>(batch.columns[3].As<float>()[2 * i + 1]) - t;
      const TestEpisode& episode = players.episodes()[id];
      ASSERT_GE(steps, 1);
      ASSERT_LE(steps, std::min<int64_t>(9, episode.length - t));
      shorter += steps < std::min<int64_t>(9, episode.length - t);
      ExpectTransition(batch, i, NaiveTransition(id, episode, t, steps));
    }
  }
  EXPECT_GT(shorter, 0);
}

struct SequenceCase {
  int32_t burn_in, length, period;
};
class SequencesTest : public ::testing::TestWithParam<SequenceCase> {};

void ExpectSequence(const ReplayBatch& batch, int64_t i, int id, const TestEpisode& episode,
                    int64_t t, int64_t length) {
  const int64_t steps = std::min(length, episode.length - t);
  const absl::Span<const float> obs =
      batch.columns[0].As<float>().subspan(2 * (length + 1) * i, 2 * (length + 1));
  const absl::Span<const int32_t> action =
      batch.columns[1].As<int32_t>().subspan(length * i, length);
  for (int64_t k = 0; k <= length; ++k) {
    EXPECT_EQ(obs[2 * k], k <= steps ? static_cast<float>(id) : 0);
    EXPECT_EQ(obs[2 * k + 1], k <= steps ? static_cast<float>(t + k) : 0);
    if (k < length) {
      EXPECT_EQ(action[k], k < steps ? t + k : 0);
    }
  }
  // The state column: the first row alone.
  EXPECT_EQ(batch.columns[2].As<float>()[i], ReplayReward(id, t));
  EXPECT_EQ(batch.columns[3].As<int32_t>()[i], steps);
  EXPECT_EQ(batch.columns[4].As<uint8_t>()[i], t + steps == episode.length && episode.terminates);
}

TEST_P(SequencesTest, AgreeWithANaiveLoopOverAThousandEpisodes) {
  const auto [burn_in, body, period] = GetParam();
  const int64_t length = burn_in + body;
  TableOptions options = EachOnce();
  TableConfig::Sequences& sequences = *options.config.mutable_sequences();
  sequences.set_burn_in(burn_in);
  sequences.set_length(body);
  sequences.set_period(period);
  sequences.add_state_columns("reward");
  const auto table = *Table::Create(options);
  const uint64_t sampler = *table->OpenSampler(kReplayRun, ReplaySpec());
  Players players(table.get(), 3, 4, 50, /*seed=*/length);
  while (players.episodes().size() < 1000) players.Play();

  std::map<std::pair<int, int64_t>, int> expected;
  for (size_t id = 0; id < players.episodes().size(); ++id) {
    const TestEpisode& episode = players.episodes()[id];
    for (int64_t t = 0; t < episode.written; t += period)
      if (episode.ended() || t + length <= episode.written) expected[{static_cast<int>(id), t}] = 1;
  }
  ASSERT_EQ(table->Info().items(), expected.size());
  const ReplayBatch batch =
      *table->Sample(sampler, {.items = static_cast<int64_t>(expected.size())});
  std::map<std::pair<int, int64_t>, int> got;
  for (int64_t i = 0; i < batch.items; ++i) {
    const absl::Span<const float> first =
        batch.columns[0].As<float>().subspan(2 * (length + 1) * i, 2);
    const int id = static_cast<int>(first[0]);
    const auto t = static_cast<int64_t>(first[1]);
    ++got[{id, t}];
    ExpectSequence(batch, i, id, players.episodes()[id], t, length);
  }
  EXPECT_EQ(got, expected);
}

INSTANTIATE_TEST_SUITE_P(Shapes, SequencesTest,
                         ::testing::Values(SequenceCase{0, 1, 1}, SequenceCase{0, 8, 4},
                                           SequenceCase{3, 5, 8}, SequenceCase{0, 4, 7},
                                           SequenceCase{10, 30, 1}));

// By steps, one at a time.
TEST(ItemWindowsTest, CompletingManyStepsIsCompletingOneByOne) {
  Random random(5);
  for (int round = 0; round < 3000; ++round) {
    const WindowShape shape{.length = 1 + static_cast<int64_t>(random.Below(9)),
                            .period = 1 + static_cast<int64_t>(random.Below(9))};
    OpenWindows at_once, by_steps;
    for (int segment = 0; segment < 10; ++segment) {
      const auto steps = 1 + static_cast<int64_t>(random.Below(12));
      const bool ended = random.Below(4) == 0;
      int64_t sum = 0;
      for (int64_t k = 1; k <= steps; ++k)
        sum += CompleteWindows(shape, 1, ended && k == steps, &by_steps);
      EXPECT_EQ(CompleteWindows(shape, steps, ended, &at_once), sum);
      EXPECT_EQ(at_once.open_steps, by_steps.open_steps);
      EXPECT_EQ(at_once.until_start, by_steps.until_start);
    }
  }
}

TEST(TableWindowsTest, ADeadWritersOpenItemsAreNotContinuedByAnother) {
  TableOptions options = EachOnce();
  options.config.mutable_transitions()->set_n_step(2);
  const auto table = *Table::Create(options);
  TestWriter first(table.get(), 1), second(table.get(), 2);
  first.Append(ReplayRollout(1, 3));
  second.Append(ReplayRollout(2, 3));
  EXPECT_EQ(table->Info().items(), 4);
  v1::Rollout rollout = EmptyReplayRollout();
  AddSegment(&rollout, 1, 3, 1, v1::SEGMENT_END_TERMINATED);
  first.Append(rollout);
  EXPECT_EQ(table->Info().items(), 6) << "the open one and the new one";
}

TEST(TableWindowsTest, NoItemLeadsAcrossARolloutThatWasRefused) {
  TableOptions options = EachOnce();
  options.config.mutable_transitions()->set_n_step(3);
  const auto table = *Table::Create(options);
  TestWriter writer(table.get(), 1);
  const auto append = [&](int64_t begin, int64_t steps, v1::SegmentEnd end, float bad = 0) {
    v1::Rollout rollout = EmptyReplayRollout();
    AddSegment(&rollout, 1, begin, steps, end);
    if (bad != 0)
      rollout.mutable_columns(2)->replace(0, sizeof bad, reinterpret_cast<const char*>(&bad),
                                          sizeof bad);
    return writer.Append(std::move(rollout))->front();
  };
  EXPECT_TRUE(append(0, 4, v1::SEGMENT_END_CUT).ok());
  EXPECT_EQ(append(4, 4, v1::SEGMENT_END_CUT, std::numeric_limits<float>::infinity()).message(),
            "column 'reward', row 0 is inf; wanted a finite number");
  EXPECT_TRUE(append(8, 4, v1::SEGMENT_END_TERMINATED).ok());
  EXPECT_EQ(table->Info().items(), 2 + 4);
  const uint64_t sampler = *table->OpenSampler(kReplayRun, ReplaySpec());
  const ReplayBatch batch = *table->Sample(sampler, {.items = 6});
  for (int64_t i = 0; i < batch.items; ++i) {
    const float first = batch.columns[0].As<float>()[2 * i + 1];
    EXPECT_EQ(batch.columns[3].As<float>()[2 * i + 1], std::min(first + 3, 12.0f));
  }
}

TEST(TableWindowsTest, NoItemLeadsAcrossRolloutsThatWereLost) {
  TableOptions options = EachOnce();
  options.config.mutable_transitions()->set_n_step(3);
  const auto table = *Table::Create(options);
  TestWriter writer(table.get(), 1);
  writer.Append(ReplayRollout(1, 4));
  table->CloseWriter(writer.stream());
  // As a server that has restarted from a checkpoint of before the second one.
  const auto stream =
      table->OpenWriter(kReplayRun, 1, ReplaySpec(), /*first_sequence=*/3, [](uint64_t) {});
  ASSERT_TRUE(stream.ok());
  v1::Rollout rollout = EmptyReplayRollout();
  AddSegment(&rollout, 1, 8, 4, v1::SEGMENT_END_TERMINATED);
  rollout.set_run_id(kReplayRun);
  rollout.set_writer_id(1);
  rollout.set_sequence(3);
  absl::Status status;
  table->Append(stream->id, ViewOf(std::make_shared<v1::Rollout>(rollout)),
                [&](absl::Status answer) { status = std::move(answer); });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(table->Info().items(), 2 + 4);
}

}  // namespace
}  // namespace cadre
