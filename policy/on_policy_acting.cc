#include "policy/on_policy_acting.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/check.h"
#include "common/status_macros.h"
#include "policy/distributions.h"
#include "policy/published_values.h"

namespace cadre {

OnPolicyActing::OnPolicyActing(ActorCriticNetwork network, const NormalizationConfig& normalization)
    : network_(std::move(network)),
      normalization_(normalization),
      policy_(network_.network, ActorCriticNetwork::kPolicy),
      scratch_(network_.policy_outputs) {}

absl::Status OnPolicyActing::Load(const v1::Parameters& parameters) {
  CADRE_ASSIGN_OR_RETURN(const std::vector<float> values,
                         PublishedValues(parameters, network_.layout()));
  CADRE_ASSIGN_OR_RETURN(transform_,
                         TransformFrom(parameters, normalization_, network_.observation_size));
  policy_.Load(values);
  if (network_.log_std >= 0) {
    log_std_.assign(values.begin() + network_.log_std,
                    values.begin() + network_.log_std + network_.action.dimensions);
    // The learner's are within their bounds, but the parameter server knows none.
    const BoundedParameters& bounds = network_.network.bounded.at(0);
    for (float& log_std : log_std_) log_std = std::clamp(log_std, bounds.min, bounds.max);
  }
  version_ = parameters.version();
  return absl::OkStatus();
}

const float* OnPolicyActing::Heads(absl::Span<const float> observations, int64_t batch) {
  const float* input = observations.data();
  if (!transform_.identity()) {
    normalized_.resize(observations.size());
    transform_.Apply(observations, absl::MakeSpan(normalized_));
    input = normalized_.data();
  }
  return policy_.Run(input, batch);
}

void OnPolicyActing::Act(absl::Span<const float> observations, const ActMode& mode, Random& random,
                         absl::Span<std::byte> actions, absl::Span<float> log_probs) {
  const int64_t batch = static_cast<int64_t>(observations.size()) / network_.observation_size;
  CADRE_CHECK(version_ > 0);
  CADRE_CHECK(log_probs.empty() || static_cast<int64_t>(log_probs.size()) == batch);
  const float* heads = Heads(observations, batch);
  const int64_t outputs = network_.policy_outputs;
  for (int64_t b = 0; b < batch; ++b) {
    const absl::Span<const float> row(heads + b * outputs, outputs);
    if (network_.discrete()) {
      LogSoftmax(row, absl::MakeSpan(scratch_));
      const int32_t action = mode.greedy ? ArgMax(scratch_) : SampleCategorical(scratch_, random);
      std::memcpy(&actions[b * 4], &action, 4);
      if (!log_probs.empty()) log_probs[b] = scratch_[action];
    } else {
      const absl::Span<float> action = absl::MakeSpan(scratch_);
      if (mode.greedy)
        std::copy(row.begin(), row.end(), action.begin());
      else
        SampleGaussian(row, log_std_, random, action);
      std::memcpy(&actions[b * outputs * 4], action.data(), outputs * 4);
      if (!log_probs.empty()) log_probs[b] = GaussianLogProb(row, log_std_, action);
    }
  }
}

}  // namespace cadre
