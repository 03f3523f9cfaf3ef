#include "learner/batches/action_tensors.h"

#include "absl/strings/str_cat.h"

namespace cadre {

torch::Tensor EmptyActions(const ActionSpace& space, int64_t rows) {
  if (!space.discrete()) return torch::empty({rows, space.dimensions});
  if (space.kind == ActionSpace::Kind::kDiscrete) return torch::empty({rows}, torch::kInt64);
  return torch::empty({rows, space.choices()}, torch::kInt64);
}

int64_t FirstUnknownChoice(const ActionSpace& space, absl::Span<const int32_t> actions) {
  const size_t choices = space.counts.size();
  for (size_t i = 0; i < actions.size(); ++i)
    if (actions[i] < 0 || actions[i] >= space.counts[i % choices]) return static_cast<int64_t>(i);
  return -1;
}

absl::Status CheckDiscreteActions(const ActionSpace& space, absl::Span<const int32_t> actions) {
  const int64_t i = FirstUnknownChoice(space, actions);
  if (i < 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "column 'action' has ", actions[i], "; wanted 0 to ", space.counts[i % space.choices()] - 1));
}

}  // namespace cadre
