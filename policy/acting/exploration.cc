#include "policy/acting/exploration.h"

#include <algorithm>
#include <cmath>

#include "common/check.h"
#include "policy/acting/action_range.h"
#include "policy/distributions.h"

namespace cadre {

double LinearDecay::At(double progress) const {
  return progress < share ? initial + (final - initial) * (progress / share) : final;
}

double EnvironmentEpsilon(double epsilon, double spread, int64_t row, int64_t rows) {
  if (rows <= 1 || spread == 0) return epsilon;
  return std::pow(epsilon, 1 + spread * static_cast<double>(row) / static_cast<double>(rows - 1));
}

// --- Choices among action values ---

EpsilonGreedy::EpsilonGreedy(const DqnConfig::EpsilonGreedy& config, const ActingPlace& place)
    : epsilon_{config.initial(), config.final(), config.decay_share()},
      spread_(config.spread()),
      place_(place) {}

void EpsilonGreedy::Choose(absl::Span<const float> values, absl::Span<const uint8_t> mask,
                           double progress, Random& random, absl::Span<int32_t> actions) const {
  const size_t n = values.size() / actions.size();
  const double epsilon = epsilon_.At(progress);
  for (size_t b = 0; b < actions.size(); ++b) {
    const double own = EnvironmentEpsilon(
        epsilon, spread_, place_.first_row + static_cast<int64_t>(b), place_.all_rows);
    if (random.Uniform() < own)
      actions[b] = DrawAllowed(n, mask.empty() ? mask : mask.subspan(b * n, n), random);
    else
      actions[b] = ArgMax(values.subspan(b * n, n));
  }
}

Boltzmann::Boltzmann(const DqnConfig::Boltzmann& config)
    : temperature_{config.initial_temperature(), config.final_temperature(), config.decay_share()} {
}

void Boltzmann::Choose(absl::Span<const float> values, absl::Span<const uint8_t> mask,
                       double progress, Random& random, absl::Span<int32_t> actions) const {
  const size_t n = values.size() / actions.size();
  const double temperature = temperature_.At(progress);
  std::vector<float> row(n);
  for (size_t b = 0; b < actions.size(); ++b) {
    const float largest = values[b * n + ArgMax(values.subspan(b * n, n))];
    // Differences first: a value over a small temperature may be infinite.
    for (size_t i = 0; i < n; ++i)
      row[i] = static_cast<float>((values[b * n + i] - largest) / temperature);
    if (!mask.empty()) MaskLogits(mask.subspan(b * n, n), absl::MakeSpan(row));
    LogSoftmax(row, absl::MakeSpan(row));
    actions[b] = SampleCategorical(row, random);
  }
}

std::unique_ptr<ActionValueExploration> MakeActionValueExploration(const DqnConfig& config,
                                                                   const ActingPlace& place) {
  if (config.has_boltzmann()) return std::make_unique<Boltzmann>(config.boltzmann());
  return std::make_unique<EpsilonGreedy>(config.epsilon_greedy(), place);
}

// --- Noise on continuous actions ---

void GaussianNoise::AddTo(absl::Span<float> actions, Random& random) {
  for (float& action : actions) action += static_cast<float>(deviation_ * random.Normal());
}

OrnsteinUhlenbeckNoise::OrnsteinUhlenbeckNoise(const ActionNoiseConfig::OrnsteinUhlenbeck& config,
                                               int64_t dimensions)
    : keep_(1 - config.rate()), deviation_(config.deviation()), dimensions_(dimensions) {}

void OrnsteinUhlenbeckNoise::AddTo(absl::Span<float> actions, Random& random) {
  if (state_.size() < actions.size()) state_.resize(actions.size(), 0.0);
  for (size_t i = 0; i < actions.size(); ++i) {
    state_[i] = keep_ * state_[i] + deviation_ * random.Normal();
    actions[i] += static_cast<float>(state_[i]);
  }
}

void OrnsteinUhlenbeckNoise::EndEpisode(int64_t row) {
  CADRE_CHECK(row >= 0);
  // A row that was never acted in has no state yet.
  if (static_cast<int64_t>(state_.size()) < (row + 1) * dimensions_) return;
  std::fill_n(state_.begin() + row * dimensions_, dimensions_, 0.0);
}

std::unique_ptr<ActionNoise> MakeActionNoise(const ActionNoiseConfig& config, int64_t dimensions) {
  if (config.has_ornstein_uhlenbeck())
    return std::make_unique<OrnsteinUhlenbeckNoise>(config.ornstein_uhlenbeck(), dimensions);
  return std::make_unique<GaussianNoise>(config.gaussian().deviation());
}

}  // namespace cadre
