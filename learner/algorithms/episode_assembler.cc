#include "learner/algorithms/episode_assembler.h"

#include <numeric>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "learner/algorithms/tensor_spans.h"

namespace cadre {
namespace {

// Actor, environment, writer, sequence, steps.
constexpr int64_t kBeginningNumbers = 5;

template <typename T>
std::vector<T>& Append(std::vector<T>& to, const std::vector<T>& more) {
  to.insert(to.end(), more.begin(), more.end());
  return to;
}

template <typename T>
void Save(const std::string& name, const std::vector<torch::Tensor>& parts, TensorMap& state) {
  const torch::Tensor all = torch::cat(parts).cpu().contiguous();
  state.Add<T>(name, all.sizes().vec(), Flat<T>(all));
}

// A tensor of a checkpoint with this dtype and `steps` rows.
template <typename T>
absl::StatusOr<torch::Tensor> Read(const TensorMap& state, const std::string& name, int64_t steps) {
  const NamedTensor* const saved = state.Find(name);
  if (saved == nullptr || saved->shape.empty() || saved->shape[0] != steps)
    return absl::DataLossError(absl::StrCat("tensor '", name, "' ",
                                            saved == nullptr ? "is missing" : "has another size",
                                            "; wanted ", steps, " rows"));
  torch::Tensor tensor = torch::empty(saved->shape, c10::CppTypeToScalarType<T>::value);
  const absl::Status status = state.Read(name, Flat<T>(tensor));
  if (!status.ok()) return absl::DataLossError(status.message());
  return tensor;
}

}  // namespace

EpisodeBatch EpisodeAssembler::Add(const OnPolicyBatch& batch) {
  EpisodeBatch out;
  std::vector<torch::Tensor> observations, last_observations, actions, rewards;
  int64_t steps = 0;
  for (size_t s = 0; s < batch.segments.size(); ++s) {
    const SegmentBounds& segment = batch.segments[s];
    const int64_t row = segment.first_step + static_cast<int64_t>(s);
    Beginning episode;
    TakeBeginning(segment.origin, episode);
    episode.origin = segment.origin;
    episode.steps += segment.length;
    episode.observations.push_back(batch.observations.narrow(0, row, segment.length));
    episode.actions.push_back(batch.actions.narrow(0, segment.first_step, segment.length));
    episode.rewards.push_back(batch.rewards.narrow(0, segment.first_step, segment.length));
    if (segment.cut) {
      waiting_[{segment.origin.actor, segment.origin.environment}] = std::move(episode);
      continue;
    }
    Append(observations, episode.observations);
    Append(actions, episode.actions);
    Append(rewards, episode.rewards);
    last_observations.push_back(batch.observations.narrow(0, row + segment.length, 1));
    out.episodes.push_back({steps, episode.steps, segment.terminated, false, segment.origin});
    steps += episode.steps;
  }
  // What waits must not keep the whole batch alive.
  for (auto& [place, beginning] : waiting_) {
    for (auto* parts : {&beginning.observations, &beginning.actions, &beginning.rewards})
      if (parts->back().storage().nbytes() > parts->back().nbytes())
        parts->back() = parts->back().clone();
  }
  if (out.empty()) return out;
  out.observations = torch::cat(observations);
  out.last_observations = torch::cat(last_observations);
  out.actions = torch::cat(actions);
  out.rewards = torch::cat(rewards);
  return out;
}

void EpisodeAssembler::TakeBeginning(const SegmentOrigin& origin, Beginning& out) {
  const auto found = waiting_.find({origin.actor, origin.environment});
  if (found == waiting_.end()) return;
  const SegmentOrigin& before = found->second.origin;
  if (before.writer_id == origin.writer_id && before.sequence + 1 == origin.sequence)
    out = std::move(found->second);
  else
    dropped_steps_ += found->second.steps;
  waiting_.erase(found);
}

int64_t EpisodeAssembler::waiting_steps() const {
  return std::accumulate(waiting_.begin(), waiting_.end(), int64_t{0},
                         [](int64_t sum, const auto& entry) { return sum + entry.second.steps; });
}

void EpisodeAssembler::Save(TensorMap& state) const {
  std::vector<int64_t> numbers;
  std::vector<torch::Tensor> observations, actions, rewards;
  for (const auto& [place, beginning] : waiting_) {
    const SegmentOrigin& origin = beginning.origin;
    Append<int64_t>(numbers,
                    {origin.actor, origin.environment, static_cast<int64_t>(origin.writer_id),
                     static_cast<int64_t>(origin.sequence), beginning.steps});
    Append(observations, beginning.observations);
    Append(actions, beginning.actions);
    Append(rewards, beginning.rewards);
  }
  state.AddScalar<int64_t>("episodes.dropped_steps", dropped_steps_);
  state.Add<int64_t>("episodes.waiting", {static_cast<int64_t>(waiting_.size()), kBeginningNumbers},
                     numbers);
  if (waiting_.empty()) return;
  cadre::Save<float>("episodes.observations", observations, state);
  if (actions[0].scalar_type() == torch::kInt64)
    cadre::Save<int64_t>("episodes.actions", actions, state);
  else
    cadre::Save<float>("episodes.actions", actions, state);
  cadre::Save<float>("episodes.rewards", rewards, state);
}

absl::Status EpisodeAssembler::Restore(const TensorMap& state) {
  const NamedTensor* const saved = state.Find("episodes.waiting");
  if (saved == nullptr || saved->shape.size() != 2 || saved->shape[1] != kBeginningNumbers)
    return absl::DataLossError("no tensor 'episodes.waiting' with 5 columns");
  CADRE_ASSIGN_OR_RETURN(const torch::Tensor numbers,
                         Read<int64_t>(state, "episodes.waiting", saved->shape[0]));
  const absl::StatusOr<int64_t> dropped = state.ReadScalar<int64_t>("episodes.dropped_steps");
  if (!dropped.ok()) return absl::DataLossError(dropped.status().message());
  dropped_steps_ = *dropped;
  waiting_.clear();
  if (saved->shape[0] == 0) return absl::OkStatus();

  const auto row = numbers.accessor<int64_t, 2>();
  int64_t steps = 0;
  for (int64_t i = 0; i < row.size(0); ++i) {
    if (row[i][4] < 1)
      return absl::DataLossError("'episodes.waiting' has an episode without steps");
    steps += row[i][4];
  }
  CADRE_ASSIGN_OR_RETURN(const torch::Tensor observations,
                         Read<float>(state, "episodes.observations", steps));
  CADRE_ASSIGN_OR_RETURN(const torch::Tensor rewards,
                         Read<float>(state, "episodes.rewards", steps));
  const NamedTensor* const taken = state.Find("episodes.actions");
  const bool discrete = taken != nullptr && taken->dtype == v1::DTYPE_INT64;
  CADRE_ASSIGN_OR_RETURN(const torch::Tensor actions,
                         discrete ? Read<int64_t>(state, "episodes.actions", steps)
                                  : Read<float>(state, "episodes.actions", steps));
  int64_t first = 0;
  for (int64_t i = 0; i < row.size(0); ++i) {
    Beginning beginning;
    beginning.origin = {static_cast<int32_t>(row[i][0]), static_cast<int32_t>(row[i][1]),
                        static_cast<uint64_t>(row[i][2]), static_cast<uint64_t>(row[i][3])};
    beginning.steps = row[i][4];
    beginning.observations = {observations.narrow(0, first, beginning.steps).clone()};
    beginning.actions = {actions.narrow(0, first, beginning.steps).clone()};
    beginning.rewards = {rewards.narrow(0, first, beginning.steps).clone()};
    first += beginning.steps;
    waiting_[{beginning.origin.actor, beginning.origin.environment}] = std::move(beginning);
  }
  return absl::OkStatus();
}

}  // namespace cadre
