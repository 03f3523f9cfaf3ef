#include "policy/normalization.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/status_macros.h"

namespace cadre {
namespace {

constexpr double kEpsilon = 1e-8;  // Added to variances.

void AddStatistic(v1::Parameters& parameters, const std::string& name,
                  absl::Span<const double> values) {
  v1::Statistic* statistic = parameters.add_statistics();
  statistic->set_name(name);
  statistic->mutable_values()->Add(values.begin(), values.end());
}

absl::StatusOr<std::vector<double>> FindStatistic(const v1::Parameters& parameters,
                                                  const std::string& name, int64_t size) {
  for (const v1::Statistic& statistic : parameters.statistics()) {
    if (statistic.name() != name) continue;
    if (statistic.values_size() != size)
      return absl::DataLossError(absl::StrCat("statistic '", name, "' has ",
                                              statistic.values_size(), " values; wanted ", size));
    return std::vector<double>(statistic.values().begin(), statistic.values().end());
  }
  return absl::DataLossError(absl::StrCat("version ", parameters.version(), " of model '",
                                          parameters.model(), "' carries no statistic '", name,
                                          "', which the config's normalization needs"));
}

void AddMoments(v1::Parameters& parameters, const std::string& name,
                const RunningMoments& moments) {
  AddStatistic(parameters, name + ".count", {moments.count()});
  AddStatistic(parameters, name + ".mean", moments.mean());
  AddStatistic(parameters, name + ".variance", moments.variance());
}

absl::Status RestoreMoments(const v1::Parameters& parameters, const std::string& name,
                            RunningMoments& moments) {
  const int64_t size = static_cast<int64_t>(moments.mean().size());
  CADRE_ASSIGN_OR_RETURN(auto count, FindStatistic(parameters, name + ".count", 1));
  CADRE_ASSIGN_OR_RETURN(auto mean, FindStatistic(parameters, name + ".mean", size));
  CADRE_ASSIGN_OR_RETURN(auto variance, FindStatistic(parameters, name + ".variance", size));
  if (!(count[0] >= 0) ||
      std::any_of(variance.begin(), variance.end(), [](double v) { return !(v >= 0); }))
    return absl::DataLossError(absl::StrCat("statistic '", name, "' of version ",
                                            parameters.version(), " of model '", parameters.model(),
                                            "' has a count or variance below 0"));
  moments.Set(count[0], mean, variance);
  return absl::OkStatus();
}

}  // namespace

RowMoments MomentsOf(absl::Span<const float> rows, int64_t size, absl::Span<const float> weights) {
  const int64_t count = static_cast<int64_t>(rows.size()) / size;
  CADRE_CHECK(count * size == static_cast<int64_t>(rows.size()));
  CADRE_CHECK(weights.empty() || static_cast<int64_t>(weights.size()) == count);
  RowMoments moments{.mean = std::vector<double>(size, 0.0),
                     .squares = std::vector<double>(size, 0.0)};
  const auto weight = [&](int64_t i) { return weights.empty() ? 1.0 : double{weights[i]}; };
  for (int64_t i = 0; i < count; ++i) moments.count += weight(i);
  if (moments.count == 0) return moments;
  for (int64_t i = 0; i < count; ++i)
    for (int64_t j = 0; j < size; ++j) moments.mean[j] += weight(i) * rows[i * size + j];
  for (double& m : moments.mean) m /= moments.count;
  for (int64_t i = 0; i < count; ++i)
    for (int64_t j = 0; j < size; ++j) {
      const double deviation = rows[i * size + j] - moments.mean[j];
      moments.squares[j] += weight(i) * deviation * deviation;
    }
  return moments;
}

void RunningMoments::Update(absl::Span<const float> rows) {
  Merge(MomentsOf(rows, static_cast<int64_t>(mean_.size())));
}

void RunningMoments::Merge(const RowMoments& rows) {
  CADRE_CHECK(rows.mean.size() == mean_.size() && rows.squares.size() == mean_.size());
  if (rows.count == 0) return;
  const double total = count_ + rows.count;
  for (size_t j = 0; j < mean_.size(); ++j) {
    const double delta = rows.mean[j] - mean_[j];
    mean_[j] += delta * rows.count / total;
    variance_[j] =
        (variance_[j] * count_ + rows.squares[j] + delta * delta * count_ * rows.count / total) /
        total;
  }
  count_ = total;
}

void RunningMoments::Set(double count, absl::Span<const double> mean,
                         absl::Span<const double> variance) {
  CADRE_CHECK(mean.size() == mean_.size() && variance.size() == mean_.size());
  count_ = count;
  mean_.assign(mean.begin(), mean.end());
  variance_.assign(variance.begin(), variance.end());
}

ObservationTransform::ObservationTransform(absl::Span<const double> mean,
                                           absl::Span<const double> variance, double clip)
    : mean_(mean.begin(), mean.end()), clip_(static_cast<float>(clip)) {
  for (double v : variance) scale_.push_back(static_cast<float>(1.0 / std::sqrt(v + kEpsilon)));
}

void ObservationTransform::Apply(absl::Span<const float> in, absl::Span<float> out) const {
  if (identity()) {
    if (in.data() != out.data()) std::copy(in.begin(), in.end(), out.begin());
    return;
  }
  Apply(in, out, 0, static_cast<int64_t>(mean_.size()));
}

void ObservationTransform::Apply(absl::Span<const float> in, absl::Span<float> out, int64_t first,
                                 int64_t size) const {
  CADRE_CHECK(first + size <= static_cast<int64_t>(mean_.size()));
  const float* const mean = mean_.data() + first;
  const float* const scale = scale_.data() + first;
  for (size_t i = 0; i < in.size(); i += size)
    for (int64_t j = 0; j < size; ++j)
      out[i + j] = std::clamp((in[i + j] - mean[j]) * scale[j], -clip_, clip_);
}

Normalizer::Normalizer(const NormalizationConfig& config, int64_t observation_size)
    : config_(config), observation_(observation_size), discounted_return_(1) {}

void Normalizer::UpdateObservations(absl::Span<const float> observations) {
  if (config_.observations()) observation_.Update(observations);
}

void Normalizer::UpdateReturns(absl::Span<const float> discounted_returns) {
  if (config_.rewards()) discounted_return_.Update(discounted_returns);
}

void Normalizer::MergeObservations(const RowMoments& observations) {
  if (config_.observations()) observation_.Merge(observations);
}

void Normalizer::MergeReturns(const RowMoments& discounted_returns) {
  if (config_.rewards()) discounted_return_.Merge(discounted_returns);
}

void Normalizer::LimitCounts(double most) {
  observation_.LimitCount(most);
  discounted_return_.LimitCount(most);
}

ObservationTransform Normalizer::observation_transform() const {
  if (!config_.observations() || observation_.count() == 0) return {};
  return {observation_.mean(), observation_.variance(), config_.clip()};
}

void Normalizer::NormalizeRewards(absl::Span<float> rewards) const {
  if (!config_.rewards() || discounted_return_.count() == 0) return;
  const float scale =
      static_cast<float>(1.0 / std::sqrt(discounted_return_.variance()[0] + kEpsilon));
  const float clip = static_cast<float>(config_.clip());
  for (float& reward : rewards) reward = std::clamp(reward * scale, -clip, clip);
}

void Normalizer::AddTo(v1::Parameters& parameters) const {
  if (config_.observations()) AddMoments(parameters, "observation", observation_);
  if (config_.rewards()) AddMoments(parameters, "discounted_return", discounted_return_);
}

absl::Status Normalizer::Restore(const v1::Parameters& parameters) {
  if (config_.observations())
    CADRE_RETURN_IF_ERROR(RestoreMoments(parameters, "observation", observation_));
  if (config_.rewards())
    CADRE_RETURN_IF_ERROR(RestoreMoments(parameters, "discounted_return", discounted_return_));
  return absl::OkStatus();
}

absl::StatusOr<ObservationTransform> TransformFrom(const v1::Parameters& parameters,
                                                   const NormalizationConfig& config,
                                                   int64_t observation_size) {
  NormalizationConfig observations_only = config;
  observations_only.set_rewards(false);
  Normalizer normalizer(observations_only, observation_size);
  CADRE_RETURN_IF_ERROR(normalizer.Restore(parameters));
  return normalizer.observation_transform();
}

}  // namespace cadre
