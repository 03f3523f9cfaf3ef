#include "replay_server/storage/stream_agreement.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/config/agreed_settings.h"
#include "common/status_macros.h"

namespace cadre {
namespace {

std::vector<v1::AgreedSetting> Given(const v1::ExperienceSpec& spec) {
  return {spec.agreed().begin(), spec.agreed().end()};
}

}  // namespace

absl::Status StreamAgreement::Check(const v1::ExperienceSpec& spec) const {
  const std::vector<v1::AgreedSetting> theirs = Given(spec);
  CADRE_RETURN_IF_ERROR(CheckAgreed(own_, theirs));
  return CheckAgreed(shared_, theirs);
}

void StreamAgreement::Open(uint64_t stream, const v1::ExperienceSpec& spec) {
  if (spec.agreed().empty()) return;
  for (v1::AgreedSetting& setting : Given(spec)) {
    const bool known = std::any_of(
        shared_.begin(), shared_.end(),
        [&](const v1::AgreedSetting& other) { return other.field() == setting.field(); });
    if (!known) shared_.push_back(std::move(setting));
  }
  streams_[stream] = AgreedNumber(Given(spec), kEnvironmentsPerActor).value_or(0);
}

void StreamAgreement::Close(uint64_t stream) {
  streams_.erase(stream);
  if (streams_.empty()) shared_.clear();
}

absl::Status StreamAgreement::CheckEnvironment(uint64_t stream, int64_t largest) const {
  const auto it = streams_.find(stream);
  if (it == streams_.end() || it->second == 0 || largest < it->second) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("a segment has environment ", largest,
                                                 "; wanted less than ", kEnvironmentsPerActor, ", ",
                                                 it->second));
}

}  // namespace cadre
