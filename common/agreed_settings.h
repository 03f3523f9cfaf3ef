// Settings that every process of a run must share: actors and learners send theirs with the
// spec of a stream, and the replay server compares them. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "proto/config.pb.h"
#include "proto/experience.pb.h"

namespace cadre {

// Those of a resolved config, by field path; "algorithm" is the name of its field.
std::vector<v1::AgreedSetting> AgreedSettings(const ExperimentConfig& config);

// `spec` with the settings of `config`.
v1::ExperienceSpec WithAgreedSettings(v1::ExperienceSpec spec, const ExperimentConfig& config);

// FAILED_PRECONDITION that names each field on which `theirs` differ from `ours`, with both
// values. A field that either does not give is not compared.
absl::Status CheckAgreed(absl::Span<const v1::AgreedSetting> ours,
                         absl::Span<const v1::AgreedSetting> theirs);

// A number among them; none where it is not given or no number.
std::optional<int64_t> AgreedNumber(absl::Span<const v1::AgreedSetting> settings,
                                    absl::string_view field);
inline constexpr char kEnvironmentsPerActor[] = "actors.environments_per_actor";

}  // namespace cadre
