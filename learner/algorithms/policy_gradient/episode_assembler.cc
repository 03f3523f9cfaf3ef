#include "learner/algorithms/policy_gradient/episode_assembler.h"

#include <numeric>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "learner/algorithms/device/tensor_spans.h"

namespace cadre {
namespace {

// Actor, environment, writer, sequence, steps.
constexpr int64_t kBeginningNumbers = 5;

template <typename T>
std::vector<T>& Append(std::vector<T>& to, const std::vector<T>& more) {
  to.insert(to.end(), more.begin(), more.end());
  return to;
}

std::string ObservationName(size_t index) {
  return index == 0 ? "episodes.observations" : absl::StrCat("episodes.observations.", index);
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

void EpisodeAssembler::Columns::Add(const Columns& more) {
  observations.resize(more.observations.size());
  for (size_t c = 0; c < observations.size(); ++c) Append(observations[c], more.observations[c]);
  Append(actions, more.actions);
  Append(rewards, more.rewards);
  Append(log_probs, more.log_probs);
  Append(versions, more.versions);
}

void EpisodeAssembler::Columns::Own() {
  const auto own = [](std::vector<torch::Tensor>& pieces) {
    torch::Tensor& newest = pieces.back();
    if (newest.storage().nbytes() > newest.nbytes()) newest = newest.clone();
  };
  for (std::vector<torch::Tensor>& pieces : observations) own(pieces);
  for (auto* pieces : {&actions, &rewards, &log_probs, &versions}) own(*pieces);
}

OnPolicyBatch EpisodeAssembler::Add(const OnPolicyBatch& batch) {
  Columns whole;
  std::vector<SegmentBounds> episodes;
  int64_t steps = 0;
  for (size_t s = 0; s < batch.segments.size(); ++s) {
    const SegmentBounds& segment = batch.segments[s];
    const int64_t row = segment.first_step + static_cast<int64_t>(s);
    const auto piece = [&](const torch::Tensor& column) {
      return std::vector<torch::Tensor>{column.narrow(0, segment.first_step, segment.length)};
    };
    Beginning episode;
    TakeBeginning(segment.origin, episode);
    episode.origin = segment.origin;
    episode.steps += segment.length;
    std::vector<std::vector<torch::Tensor>> observed;
    for (const torch::Tensor& tensor : batch.observations.Narrow(row, segment.length).tensors())
      observed.push_back({tensor});
    episode.columns.Add({std::move(observed), piece(batch.actions), piece(batch.rewards),
                         piece(batch.log_probs), piece(batch.versions)});
    if (segment.cut) {
      episode.columns.Own();
      waiting_[{segment.origin.actor, segment.origin.environment}] = std::move(episode);
      continue;
    }
    const auto last = batch.observations.Narrow(row + segment.length, 1).tensors();
    for (size_t c = 0; c < last.size(); ++c) episode.columns.observations[c].push_back(last[c]);
    whole.Add(episode.columns);
    episodes.push_back({steps, episode.steps, segment.terminated, false, segment.origin});
    steps += episode.steps;
  }
  return Join(batch, whole, std::move(episodes));
}

OnPolicyBatch EpisodeAssembler::Join(const OnPolicyBatch& like, const Columns& columns,
                                     std::vector<SegmentBounds> episodes) {
  const auto joined = [](const std::vector<torch::Tensor>& pieces, const torch::Tensor& column) {
    return pieces.empty() ? column.narrow(0, 0, 0).clone() : torch::cat(pieces);
  };
  OnPolicyBatch out;
  std::vector<torch::Tensor> observed;
  for (const torch::Tensor& tensor : like.observations.tensors()) {
    const size_t c = observed.size();
    observed.push_back(columns.observations.empty() ? joined({}, tensor)
                                                    : joined(columns.observations[c], tensor));
  }
  out.observations = {std::move(observed), like.observations.mask.defined()};
  out.actions = joined(columns.actions, like.actions);
  out.rewards = joined(columns.rewards, like.rewards);
  out.log_probs = joined(columns.log_probs, like.log_probs);
  out.versions = joined(columns.versions, like.versions);
  std::vector<torch::Tensor> rows = {torch::empty({0}, torch::kInt64)};
  for (size_t e = 0; e < episodes.size(); ++e) {
    const int64_t first = episodes[e].first_step + static_cast<int64_t>(e);
    rows.push_back(torch::arange(first, first + episodes[e].length, torch::kInt64));
  }
  out.observation_rows = torch::cat(rows);
  out.segments = std::move(episodes);
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
  Columns all;
  for (const auto& [place, beginning] : waiting_) {
    const SegmentOrigin& origin = beginning.origin;
    Append<int64_t>(numbers,
                    {origin.actor, origin.environment, static_cast<int64_t>(origin.writer_id),
                     static_cast<int64_t>(origin.sequence), beginning.steps});
    all.Add(beginning.columns);
  }
  state.AddScalar<int64_t>("episodes.dropped_steps", dropped_steps_);
  state.Add<int64_t>("episodes.waiting", {static_cast<int64_t>(waiting_.size()), kBeginningNumbers},
                     numbers);
  if (waiting_.empty()) return;
  for (size_t c = 0; c < all.observations.size(); ++c) {
    if (all.observations[c][0].scalar_type() == torch::kUInt8)
      cadre::Save<uint8_t>(ObservationName(c), all.observations[c], state);
    else
      cadre::Save<float>(ObservationName(c), all.observations[c], state);
  }
  if (all.actions[0].scalar_type() == torch::kInt64)
    cadre::Save<int64_t>("episodes.actions", all.actions, state);
  else
    cadre::Save<float>("episodes.actions", all.actions, state);
  cadre::Save<float>("episodes.rewards", all.rewards, state);
  cadre::Save<float>("episodes.log_probs", all.log_probs, state);
  cadre::Save<int64_t>("episodes.versions", all.versions, state);
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
  // Checkpoints of before the probabilities were saved lack them: nothing can be learned from
  // these steps any more.
  if (state.Find("episodes.log_probs") == nullptr) {
    dropped_steps_ += steps;
    return absl::OkStatus();
  }
  std::vector<torch::Tensor> observations;
  do {
    const std::string name = ObservationName(observations.size());
    const NamedTensor* const found = state.Find(name);
    const bool bytes = found != nullptr && found->dtype == v1::DTYPE_UINT8;
    CADRE_ASSIGN_OR_RETURN(observations.emplace_back(), bytes ? Read<uint8_t>(state, name, steps)
                                                              : Read<float>(state, name, steps));
  } while (state.Find(ObservationName(observations.size())) != nullptr);
  CADRE_ASSIGN_OR_RETURN(const torch::Tensor rewards,
                         Read<float>(state, "episodes.rewards", steps));
  const NamedTensor* const taken = state.Find("episodes.actions");
  const bool discrete = taken != nullptr && taken->dtype == v1::DTYPE_INT64;
  CADRE_ASSIGN_OR_RETURN(const torch::Tensor actions,
                         discrete ? Read<int64_t>(state, "episodes.actions", steps)
                                  : Read<float>(state, "episodes.actions", steps));
  CADRE_ASSIGN_OR_RETURN(const torch::Tensor log_probs,
                         Read<float>(state, "episodes.log_probs", steps));
  CADRE_ASSIGN_OR_RETURN(const torch::Tensor versions,
                         Read<int64_t>(state, "episodes.versions", steps));
  int64_t first = 0;
  for (int64_t i = 0; i < row.size(0); ++i) {
    Beginning beginning;
    beginning.origin = {static_cast<int32_t>(row[i][0]), static_cast<int32_t>(row[i][1]),
                        static_cast<uint64_t>(row[i][2]), static_cast<uint64_t>(row[i][3])};
    beginning.steps = row[i][4];
    const auto piece = [&](const torch::Tensor& column) {
      return std::vector<torch::Tensor>{column.narrow(0, first, beginning.steps).clone()};
    };
    std::vector<std::vector<torch::Tensor>> observed;
    for (const torch::Tensor& column : observations) observed.push_back(piece(column));
    beginning.columns = {std::move(observed), piece(actions), piece(rewards), piece(log_probs),
                         piece(versions)};
    first += beginning.steps;
    waiting_[{beginning.origin.actor, beginning.origin.environment}] = std::move(beginning);
  }
  return absl::OkStatus();
}

}  // namespace cadre
