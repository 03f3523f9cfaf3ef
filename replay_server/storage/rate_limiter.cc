#include "replay_server/storage/rate_limiter.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace cadre {
namespace {

absl::Status TooMany(const char* what, int64_t items, double wanted, double got) {
  return absl::InvalidArgumentError(absl::StrCat(
      what, " ", items, " items at once might wait for ever: wanted an error buffer of ", wanted,
      " or more; rate_limiter.error_buffer is ", got));
}

}  // namespace

bool RateLimiter::MayInsert(int64_t items, int64_t size) const {
  if (!limits_ratio() || size < config_.min_size()) return true;
  return Allowance(state_.inserted + items) - config_.error_buffer() <=
         static_cast<double>(state_.sampled);
}

bool RateLimiter::MaySample(int64_t items, int64_t size) const {
  if (size < config_.min_size()) return false;
  return !limits_ratio() || static_cast<double>(state_.sampled + items) <=
                                Allowance(state_.inserted) + config_.error_buffer();
}

absl::Status RateLimiter::CheckInsert(int64_t items) const {
  const double wanted = config_.samples_per_insert() * static_cast<double>(items);
  if (!limits_ratio() || wanted <= config_.error_buffer()) return absl::OkStatus();
  return TooMany("inserting", items, wanted, config_.error_buffer());
}

absl::Status RateLimiter::CheckSample(int64_t items) const {
  const auto wanted = static_cast<double>(items);
  if (!limits_ratio() || wanted <= config_.error_buffer()) return absl::OkStatus();
  return TooMany("sampling", items, wanted, config_.error_buffer());
}

v1::LimiterState RateLimiter::Verdict(int64_t size) const {
  if (size < config_.min_size()) return v1::LIMITER_STATE_WAITS_FOR_SIZE;
  if (!MaySample(1, size)) return v1::LIMITER_STATE_WAITS_FOR_INSERTS;
  if (!MayInsert(1, size)) return v1::LIMITER_STATE_WAITS_FOR_SAMPLES;
  return v1::LIMITER_STATE_OPEN;
}

double RateLimiter::observed() const {
  const int64_t counted = state_.inserted - config_.min_size();
  return counted > 0 ? static_cast<double>(state_.sampled) / static_cast<double>(counted) : 0;
}

RateLimiter::State RateLimiter::Balanced(int64_t inserted) const {
  return {.inserted = inserted,
          .sampled = static_cast<int64_t>(std::max(0.0, Allowance(inserted)))};
}

double RateLimiter::Allowance(int64_t inserted) const {
  return config_.samples_per_insert() * static_cast<double>(inserted - config_.min_size());
}

}  // namespace cadre
