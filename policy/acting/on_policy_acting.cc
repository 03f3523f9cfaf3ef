#include "policy/acting/on_policy_acting.h"

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
      inputs_(network_.observation, network_.action),
      policy_(network_.network, ActorCriticNetwork::kPolicy),
      scratch_(network_.policy_outputs) {}

absl::Status OnPolicyActing::Load(const v1::Parameters& parameters) {
  CADRE_ASSIGN_OR_RETURN(const std::vector<float> values,
                         PublishedValues(parameters, network_.layout()));
  CADRE_ASSIGN_OR_RETURN(ObservationTransform transform,
                         TransformFrom(parameters, normalization_, network_.observation.floats()));
  inputs_.set_transform(std::move(transform));
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

float OnPolicyActing::Choose(int64_t row, absl::Span<const float> logits, bool greedy,
                             Random& random, std::byte* action) {
  const absl::Span<float> log_probs = absl::MakeSpan(scratch_);
  if (network_.action.masked) {
    std::copy(logits.begin(), logits.end(), log_probs.begin());
    MaskLogits(inputs_.MaskOf(row), log_probs);
    logits = log_probs;
  }
  LogSoftmaxOfEach(network_.action.counts, logits, log_probs);
  float log_prob = 0;
  int64_t first = 0;
  for (const int64_t count : network_.action.counts) {
    const absl::Span<const float> own = log_probs.subspan(first, count);
    const int32_t choice = greedy ? ArgMax(own) : SampleCategorical(own, random);
    std::memcpy(action, &choice, sizeof(choice));
    action += sizeof(choice);
    log_prob += own[choice];
    first += count;
  }
  return log_prob;
}

void OnPolicyActing::Act(ShownBlocks shown, const ActMode& mode, Random& random,
                         absl::Span<std::byte> actions, absl::Span<float> log_probs) {
  const int64_t batch = inputs_.Set(shown);
  CADRE_CHECK(version_ > 0);
  CADRE_CHECK(log_probs.empty() || static_cast<int64_t>(log_probs.size()) == batch);
  const float* heads = policy_.Run(inputs_.columns(), batch);
  const int64_t outputs = network_.policy_outputs;
  for (int64_t b = 0; b < batch; ++b) {
    const absl::Span<const float> row(heads + b * outputs, outputs);
    if (network_.discrete()) {
      const float log_prob =
          Choose(b, row, mode.greedy, random, &actions[b * network_.action.bytes()]);
      if (!log_probs.empty()) log_probs[b] = log_prob;
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
