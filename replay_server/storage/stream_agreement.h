// The settings on which all streams of a queue or table agree (common/config/agreed_settings.h):
// the server's own, if it was started with an experiment's config, and for each field the value
// of the first stream that gave one, for as long as any such stream is open: a run whose
// processes were all restarted may come with others. A stream that gives none is accepted.
// Pure; not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "proto/experience.pb.h"

namespace cadre {

class StreamAgreement {
 public:
  explicit StreamAgreement(std::vector<v1::AgreedSetting> own) : own_(std::move(own)) {}

  // FAILED_PRECONDITION that names the fields, with both values.
  absl::Status Check(const v1::ExperienceSpec& spec) const;

  // After Check; ids of streams differ.
  void Open(uint64_t stream, const v1::ExperienceSpec& spec);
  void Close(uint64_t stream);

  // INVALID_ARGUMENT where the largest environment of a rollout's segments is not one of those
  // that the stream said it has.
  absl::Status CheckEnvironment(uint64_t stream, int64_t largest) const;

 private:
  const std::vector<v1::AgreedSetting> own_;
  std::vector<v1::AgreedSetting> shared_;  // What the open streams gave.
  // Environments of each of these; 0: it did not say.
  absl::flat_hash_map<uint64_t, int64_t> streams_;
};

}  // namespace cadre
