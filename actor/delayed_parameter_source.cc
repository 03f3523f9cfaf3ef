#include "actor/delayed_parameter_source.h"

#include <algorithm>
#include <utility>

#include "common/status_macros.h"

namespace cadre {

ParametersPtr DelayedParameterSource::Newest() {
  ParametersPtr newest = source_->Newest();
  return newest == nullptr ? nullptr : Delayed(std::move(newest));
}

absl::StatusOr<ParametersPtr> DelayedParameterSource::WaitNewer(int64_t version,
                                                                absl::Duration timeout) {
  int64_t known = version;
  if (!seen_.empty()) {
    const int64_t newest = seen_.back()->version();
    // Any that is there, as the caller asks for it; though it waits while the run is paused.
    known = version < seen_.front()->version() ? newest - 1 : std::max(version, newest);
  }
  CADRE_ASSIGN_OR_RETURN(ParametersPtr newest, source_->WaitNewer(known, timeout));
  return Delayed(std::move(newest));
}

ParametersPtr DelayedParameterSource::Delayed(ParametersPtr newest) {
  if (seen_.empty() || newest->version() > seen_.back()->version())
    seen_.push_back(std::move(newest));
  const int64_t newest_version = seen_.back()->version();
  const int64_t wanted = newest_version - delay_;
  while (seen_.size() > 1 && seen_[1]->version() <= wanted) seen_.pop_front();
  while (seen_.front()->version() < newest_version - oldest_) seen_.pop_front();
  return seen_.front();
}

}  // namespace cadre
