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
      inputs_(network_.observation, network_.action, normalization),
      policy_(network_.network, ActorCriticNetwork::kPolicy),
      log_std_(network_.action.dimensions),
      scratch_(network_.policy_outputs) {}

absl::Status OnPolicyActing::Load(const v1::Parameters& parameters) {
  CADRE_ASSIGN_OR_RETURN(const std::vector<float> values,
                         PublishedValues(parameters, network_.layout()));
  CADRE_RETURN_IF_ERROR(inputs_.Load(parameters));
  policy_.Load(values);
  if (network_.log_std >= 0) {
    log_std_.assign(values.begin() + network_.log_std,
                    values.begin() + network_.log_std + network_.action.dimensions);
    // The learner's are within their bounds, but the parameter server knows none.
    for (float& log_std : log_std_) log_std = network_.log_deviation.Clamp(log_std);
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

absl::Span<const float> OnPolicyActing::Gaussian(absl::Span<const float> row) {
  const size_t size = log_std_.size();
  if (network_.state_dependent_log_std)
    for (size_t a = 0; a < size; ++a) log_std_[a] = network_.log_deviation.Clamp(row[size + a]);
  return row.first(size);
}

void OnPolicyActing::Act(ShownBlocks shown, const ActMode& mode, Random& random,
                         absl::Span<std::byte> actions, absl::Span<float> log_probs) {
  const int64_t batch = inputs_.Set(shown);
  CADRE_CHECK(version_ > 0);
  CADRE_CHECK(log_probs.empty() || static_cast<int64_t>(log_probs.size()) == batch);
  const float* heads = policy_.Run(inputs_.columns(), batch);
  const int64_t width = network_.policy_head(), outputs = network_.policy_outputs;
  for (int64_t b = 0; b < batch; ++b) {
    const absl::Span<const float> row(heads + b * width, width);
    if (network_.discrete()) {
      const float log_prob =
          Choose(b, row, mode.greedy, random, &actions[b * network_.action.bytes()]);
      if (!log_probs.empty()) log_probs[b] = log_prob;
    } else {
      const absl::Span<const float> mean = Gaussian(row);
      const absl::Span<float> action = absl::MakeSpan(scratch_);
      if (mode.greedy)
        std::copy(mean.begin(), mean.end(), action.begin());
      else
        SampleGaussian(mean, log_std_, random, action);
      std::memcpy(&actions[b * outputs * 4], action.data(), outputs * 4);
      if (!log_probs.empty()) log_probs[b] = GaussianLogProb(mean, log_std_, action);
    }
  }
}

}  // namespace cadre
