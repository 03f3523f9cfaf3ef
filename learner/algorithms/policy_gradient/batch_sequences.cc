#include "learner/algorithms/policy_gradient/batch_sequences.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "learner/algorithms/device/tensor_spans.h"

namespace cadre {
namespace {

// Indices of the segments of each environment of each rollout, in order.
std::vector<std::vector<size_t>> Grouped(const std::vector<SegmentBounds>& segments) {
  std::map<std::tuple<int32_t, uint64_t, uint64_t, int32_t>, size_t> groups;
  std::vector<std::vector<size_t>> grouped;
  for (size_t i = 0; i < segments.size(); ++i) {
    const SegmentOrigin& origin = segments[i].origin;
    const auto [group, added] = groups.emplace(
        std::tuple(origin.actor, origin.writer_id, origin.sequence, origin.environment),
        grouped.size());
    if (added) grouped.emplace_back();
    grouped[group->second].push_back(i);
  }
  return grouped;
}

}  // namespace

std::shared_ptr<const Sequences> SequencesOf(const std::vector<SegmentBounds>& segments,
                                             const torch::Tensor& states) {
  const std::vector<std::vector<size_t>> grouped = Grouped(segments);
  const auto count = static_cast<int64_t>(grouped.size());
  std::vector<int64_t> lengths;
  int64_t all = 0;
  for (const std::vector<size_t>& group : grouped) {
    int64_t rows = 0;
    for (const size_t i : group) rows += segments[i].length + 1;
    lengths.push_back(rows);
    all += rows;
  }
  const int64_t longest = *std::max_element(lengths.begin(), lengths.end());
  Sequences sequences;
  sequences.starts = torch::zeros({longest * count});
  sequences.rows = torch::zeros({longest * count}, torch::kInt64);
  sequences.slots = torch::empty({all}, torch::kInt64);
  std::vector<int64_t> first_steps;
  for (int64_t s = 0; s < count; ++s) {
    int64_t slot = s;
    for (const size_t i : grouped[s]) {
      const SegmentBounds& segment = segments[i];
      if (i != grouped[s].front()) Flat(sequences.starts)[slot] = 1;
      const int64_t first_row = segment.first_step + static_cast<int64_t>(i);
      for (int64_t row = first_row; row <= first_row + segment.length; ++row, slot += count) {
        Flat<int64_t>(sequences.rows)[slot] = row;
        Flat<int64_t>(sequences.slots)[row] = slot;
      }
    }
    first_steps.push_back(segments[grouped[s].front()].first_step);
  }
  sequences.states = states.index_select(0, torch::tensor(first_steps));
  return std::make_shared<const Sequences>(std::move(sequences));
}

ObservationBatch ObservationsOfSteps(const OnPolicyBatch& batch) {
  ObservationBatch steps = batch.observations.Select(batch.observation_rows);
  const Sequences* const all = batch.observations.sequences.get();
  if (all == nullptr) return steps;
  // The slots of last observations read any row: the next slot starts an episode.
  Sequences sequences = *all;
  sequences.slots = all->slots.index_select(0, batch.observation_rows);
  sequences.rows = torch::zeros_like(all->rows);
  sequences.rows.index_copy_(0, sequences.slots, torch::arange(batch.steps(), all->rows.options()));
  steps.sequences = std::make_shared<const Sequences>(std::move(sequences));
  return steps;
}

std::vector<std::vector<int64_t>> StepsOfSequences(const std::vector<SegmentBounds>& segments) {
  std::vector<std::vector<int64_t>> steps;
  for (const std::vector<size_t>& group : Grouped(segments)) {
    std::vector<int64_t>& own = steps.emplace_back();
    for (const size_t i : group)
      for (int64_t t = 0; t < segments[i].length; ++t) own.push_back(segments[i].first_step + t);
  }
  return steps;
}

torch::Tensor StartsOfSteps(const std::vector<SegmentBounds>& segments, int64_t steps) {
  torch::Tensor starts = torch::zeros({steps});
  for (const std::vector<size_t>& group : Grouped(segments))
    for (size_t k = 1; k < group.size(); ++k) Flat(starts)[segments[group[k]].first_step] = 1;
  return starts;
}

}  // namespace cadre
