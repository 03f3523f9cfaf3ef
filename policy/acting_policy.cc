#include "policy/acting_policy.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/check.h"
#include "common/status_macros.h"
#include "policy/distributions.h"

namespace cadre {

ActingPolicy::ActingPolicy(ActorCriticNetwork network, const NormalizationConfig& normalization)
    : network_(std::move(network)),
      normalization_(normalization),
      trunk_(network_.trunk),
      policy_(network_.policy),
      scratch_(network_.policy_outputs) {}

absl::Status ActingPolicy::Load(const v1::Parameters& parameters) {
  const int64_t got = static_cast<int64_t>(parameters.values().size() / sizeof(float));
  if (got != network_.layout.size() || parameters.values().size() % sizeof(float) != 0 ||
      parameters.layout_fingerprint() != network_.layout.fingerprint())
    return absl::FailedPreconditionError(absl::StrFormat(
        "model '%s' version %d has %d parameters of layout %x; this config's network has %d of "
        "layout %x",
        parameters.model(), parameters.version(), got, parameters.layout_fingerprint(),
        network_.layout.size(), network_.layout.fingerprint()));
  CADRE_ASSIGN_OR_RETURN(transform_,
                         TransformFrom(parameters, normalization_, network_.observation_size));
  std::vector<float> values(got);
  std::memcpy(values.data(), parameters.values().data(), parameters.values().size());
  trunk_.Load(values);
  policy_.Load(values);
  if (network_.log_std >= 0)
    log_std_.assign(values.begin() + network_.log_std,
                    values.begin() + network_.log_std + network_.action.dimensions);
  version_ = parameters.version();
  return absl::OkStatus();
}

void ActingPolicy::Act(absl::Span<const float> observations, bool greedy, Random& random,
                       absl::Span<std::byte> actions, absl::Span<float> log_probs) {
  const int64_t batch = static_cast<int64_t>(observations.size()) / network_.observation_size;
  CADRE_CHECK(version_ > 0 && static_cast<int64_t>(log_probs.size()) == batch);
  const float* input = observations.data();
  if (!transform_.identity()) {
    normalized_.resize(observations.size());
    transform_.Apply(observations, absl::MakeSpan(normalized_));
    input = normalized_.data();
  }
  const float* heads = policy_.Forward(trunk_.Forward(input, batch), batch);
  const int64_t outputs = network_.policy_outputs;
  for (int64_t b = 0; b < batch; ++b) {
    const absl::Span<const float> row(heads + b * outputs, outputs);
    if (network_.discrete()) {
      LogSoftmax(row, absl::MakeSpan(scratch_));
      const int32_t action = greedy ? ArgMax(scratch_) : SampleCategorical(scratch_, random);
      std::memcpy(&actions[b * 4], &action, 4);
      log_probs[b] = scratch_[action];
    } else {
      const absl::Span<float> action = absl::MakeSpan(scratch_);
      if (greedy)
        std::copy(row.begin(), row.end(), action.begin());
      else
        SampleGaussian(row, log_std_, random, action);
      std::memcpy(&actions[b * outputs * 4], action.data(), outputs * 4);
      log_probs[b] = GaussianLogProb(row, log_std_, action);
    }
  }
}

}  // namespace cadre
