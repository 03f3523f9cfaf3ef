#include "policy/categorical_acting.h"

#include <utility>

#include "common/check.h"
#include "common/status_macros.h"
#include "common/tensor_view.h"
#include "policy/distributions.h"
#include "policy/published_values.h"

namespace cadre {

CategoricalActing::CategoricalActing(DiscretePolicyNetwork network)
    : network_(std::move(network)), policy_(network_.network), row_(network_.actions) {}

absl::Status CategoricalActing::Load(const v1::Parameters& parameters) {
  CADRE_ASSIGN_OR_RETURN(const std::vector<float> values,
                         PublishedValues(parameters, network_.layout()));
  policy_.Load(values);
  version_ = parameters.version();
  return absl::OkStatus();
}

void CategoricalActing::Act(absl::Span<const float> observations, const ActMode& mode,
                            Random& random, absl::Span<std::byte> actions,
                            absl::Span<float> log_probs) {
  CADRE_CHECK(version_ > 0 && log_probs.empty());
  const int64_t batch = static_cast<int64_t>(observations.size()) / network_.observation_size;
  const absl::Span<int32_t> chosen = MutableColumnAs<int32_t>(actions);
  CADRE_CHECK(static_cast<int64_t>(chosen.size()) == batch);
  const float* logits = policy_.Run(observations.data(), batch);
  for (int64_t b = 0; b < batch; ++b) {
    const absl::Span<const float> row(logits + b * network_.actions, network_.actions);
    if (mode.greedy) {
      chosen[b] = ArgMax(row);
    } else {
      LogSoftmax(row, absl::MakeSpan(row_));
      chosen[b] = SampleCategorical(row_, random);
    }
  }
}

}  // namespace cadre
