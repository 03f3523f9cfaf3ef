#include "policy/acting/categorical_acting.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/status_macros.h"
#include "common/tensor_view.h"
#include "policy/distributions.h"
#include "policy/published_values.h"

namespace cadre {

CategoricalActing::CategoricalActing(DiscretePolicyNetwork network,
                                     const NormalizationConfig& normalization)
    : network_(std::move(network)),
      inputs_(network_.observation, network_.action, normalization),
      policy_(network_.network),
      row_(network_.actions) {}

absl::Status CategoricalActing::Load(const v1::Parameters& parameters) {
  CADRE_ASSIGN_OR_RETURN(const std::vector<float> values,
                         PublishedValues(parameters, network_.layout()));
  CADRE_RETURN_IF_ERROR(inputs_.Load(parameters));
  policy_.Load(values);
  version_ = parameters.version();
  return absl::OkStatus();
}

void CategoricalActing::Act(ShownBlocks shown, const ActMode& mode, Random& random,
                            absl::Span<std::byte> actions, absl::Span<float> log_probs) {
  CADRE_CHECK(version_ > 0 && log_probs.empty());
  const int64_t batch = inputs_.Set(shown);
  const absl::Span<int32_t> chosen = MutableColumnAs<int32_t>(actions);
  CADRE_CHECK(static_cast<int64_t>(chosen.size()) == batch);
  const float* logits = policy_.Run(inputs_.columns(), batch);
  for (int64_t b = 0; b < batch; ++b) {
    const absl::Span<float> row = absl::MakeSpan(row_);
    std::copy_n(logits + b * network_.actions, network_.actions, row.begin());
    MaskLogits(inputs_.MaskOf(b), row);
    if (mode.greedy) {
      chosen[b] = ArgMax(row);
    } else {
      LogSoftmax(row, row);
      chosen[b] = SampleCategorical(row, random);
    }
  }
}

}  // namespace cadre
