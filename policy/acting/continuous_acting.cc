#include "policy/acting/continuous_acting.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/kernels/kernels.h"
#include "common/status_macros.h"
#include "common/tensor_view.h"
#include "policy/distributions.h"
#include "policy/published_values.h"

namespace cadre {

ContinuousActing::ContinuousActing(ContinuousPolicyNetwork network,
                                   const NormalizationConfig& normalization, ActionRange range,
                                   std::unique_ptr<ActionNoise> noise)
    : network_(std::move(network)),
      range_(std::move(range)),
      noise_(std::move(noise)),
      inputs_(network_.observation, network_.action, normalization),
      policy_(network_.network),
      log_std_(network_.action.dimensions) {}

absl::Status ContinuousActing::Load(const v1::Parameters& parameters) {
  CADRE_ASSIGN_OR_RETURN(const std::vector<float> values,
                         PublishedValues(parameters, network_.layout()));
  CADRE_RETURN_IF_ERROR(inputs_.Load(parameters));
  policy_.Load(values);
  version_ = parameters.version();
  return absl::OkStatus();
}

void ContinuousActing::SampleBeforeTanh(bool greedy, Random& random, absl::Span<float> units) {
  const int64_t dimensions = network_.action.dimensions;
  const int64_t batch = static_cast<int64_t>(units.size()) / dimensions;
  const float* heads = policy_.Run(inputs_.columns(), batch);
  const int64_t outputs = network_.gaussian ? 2 * dimensions : dimensions;
  for (int64_t b = 0; b < batch; ++b) {
    const absl::Span<const float> mean(heads + b * outputs, dimensions);
    const absl::Span<float> row = units.subspan(b * dimensions, dimensions);
    if (network_.gaussian && !greedy) {
      const float* log_std = mean.data() + dimensions;
      for (int64_t a = 0; a < dimensions; ++a)
        log_std_[a] = network_.log_deviation.Clamp(log_std[a]);
      SampleGaussian(mean, log_std_, random, row);
    } else {
      std::copy(mean.begin(), mean.end(), row.begin());
    }
  }
}

void ContinuousActing::Act(ShownBlocks shown, const ActMode& mode, Random& random,
                           absl::Span<std::byte> actions, absl::Span<float> log_probs) {
  CADRE_CHECK(version_ > 0 && log_probs.empty());
  const absl::Span<float> units = MutableColumnAs<float>(actions);
  CADRE_CHECK(static_cast<int64_t>(units.size()) ==
              inputs_.Set(shown) * network_.action.dimensions);
  SampleBeforeTanh(mode.greedy, random, units);
  kernels::Best().tanh(static_cast<int64_t>(units.size()), units.data());
  if (noise_ != nullptr && !mode.greedy) noise_->AddTo(units, random);
  range_.ToBounds(units, units);
}

void ContinuousActing::EndEpisode(int64_t row) {
  if (noise_ != nullptr) noise_->EndEpisode(row);
}

}  // namespace cadre
