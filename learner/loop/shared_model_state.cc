#include "learner/loop/shared_model_state.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace cadre {
namespace {

constexpr char kStepCounts[] = "shared.step_counts";

std::string MomentName(int index) { return absl::StrCat("shared.moment.", index); }

}  // namespace

void SaveSharedModel(const SharedModelState& model, TensorMap& state) {
  state.AddScalar<int64_t>("shared.version", model.version);
  state.AddScalar<int64_t>("shared.step", model.optimizer.step());
  for (int i = 0; i < model.optimizer.moments_size(); ++i) {
    const std::string& bytes = model.optimizer.moments(i);
    std::vector<float> moment(bytes.size() / sizeof(float));
    std::memcpy(moment.data(), bytes.data(), moment.size() * sizeof(float));
    state.Add<float>(MomentName(i), {static_cast<int64_t>(moment.size())}, moment);
  }
  std::vector<std::pair<int64_t, int64_t>> counts;
  for (const v1::PushedSequence& count : model.step_counts)
    counts.emplace_back(static_cast<int64_t>(count.learner_id()), count.env_steps());
  std::sort(counts.begin(), counts.end());
  std::vector<int64_t> rows;
  for (const auto& [learner, env_steps] : counts) rows.insert(rows.end(), {learner, env_steps});
  state.Add<int64_t>(kStepCounts, {static_cast<int64_t>(counts.size()), 2}, rows);
}

absl::StatusOr<SharedModelState> RestoreSharedModel(const TensorMap& state) {
  SharedModelState model;
  int64_t step = 0;
  absl::Status status = state.Read("shared.version", absl::MakeSpan(&model.version, 1));
  status.Update(state.Read("shared.step", absl::MakeSpan(&step, 1)));
  if (!status.ok()) return absl::DataLossError(status.message());
  model.optimizer.set_step(step);
  for (int i = 0; const NamedTensor* moment = state.Find(MomentName(i)); ++i)
    model.optimizer.add_moments(std::string(moment->bytes.data(), moment->bytes.size()));
  const NamedTensor* const saved = state.Find(kStepCounts);
  if (saved == nullptr) return model;  // Of before they were saved.
  std::vector<int64_t> rows(saved->bytes.size() / sizeof(int64_t));
  status = state.Read(kStepCounts, absl::MakeSpan(rows));
  if (!status.ok() || rows.size() % 2 != 0)
    return absl::DataLossError(absl::StrCat("no tensor '", kStepCounts, "' with 2 columns"));
  for (size_t i = 0; i < rows.size(); i += 2) {
    v1::PushedSequence& count = model.step_counts.emplace_back();
    count.set_learner_id(static_cast<uint64_t>(rows[i]));
    count.set_env_steps(rows[i + 1]);
  }
  return model;
}

}  // namespace cadre
