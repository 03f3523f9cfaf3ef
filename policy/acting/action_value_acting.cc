#include "policy/acting/action_value_acting.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/status_macros.h"
#include "common/tensor_view.h"
#include "policy/acting/action_values.h"
#include "policy/distributions.h"
#include "policy/published_values.h"

namespace cadre {

ActionValueActing::ActionValueActing(ActionValueNetwork network,
                                     const NormalizationConfig& normalization,
                                     std::unique_ptr<ActionValueExploration> exploration)
    : network_(std::move(network)),
      exploration_(std::move(exploration)),
      inputs_(network_.observation, network_.action, normalization),
      values_(network_.network) {}

absl::Status ActionValueActing::Load(const v1::Parameters& parameters) {
  CADRE_ASSIGN_OR_RETURN(const std::vector<float> values,
                         PublishedValues(parameters, network_.layout()));
  CADRE_RETURN_IF_ERROR(inputs_.Load(parameters));
  values_.Load(values);
  version_ = parameters.version();
  return absl::OkStatus();
}

absl::Span<const float> ActionValueActing::Values(int64_t batch) {
  absl::Span<const float> values(values_.Run(inputs_.columns(), batch),
                                 batch * network_.actions * network_.atoms);
  if (network_.atoms > 1) {
    changed_.resize(batch * network_.actions);
    ExpectedValues(values, network_.atoms, network_.min_value, network_.max_value,
                   absl::MakeSpan(changed_));
    values = changed_;
  }
  if (!inputs_.mask().empty()) {
    if (network_.atoms == 1) changed_.assign(values.begin(), values.end());
    MaskLogits(inputs_.mask(), absl::MakeSpan(changed_));
    values = changed_;
  }
  return values;
}

void ActionValueActing::Act(ShownBlocks shown, const ActMode& mode, Random& random,
                            absl::Span<std::byte> actions, absl::Span<float> log_probs) {
  CADRE_CHECK(version_ > 0);
  std::fill(log_probs.begin(), log_probs.end(), 0.0f);
  const int64_t batch = inputs_.Set(shown);
  const absl::Span<int32_t> chosen = MutableColumnAs<int32_t>(actions);
  CADRE_CHECK(static_cast<int64_t>(chosen.size()) == batch);
  const absl::Span<const float> values = Values(batch);
  if (!mode.greedy)
    return exploration_->Choose(values, inputs_.mask(), mode.progress, random, chosen);
  for (int64_t b = 0; b < batch; ++b)
    chosen[b] = ArgMax(values.subspan(b * network_.actions, network_.actions));
}

}  // namespace cadre
