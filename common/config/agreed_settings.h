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

// Those of a resolved config, by field path; "algorithm" is the name of its field: whatever says
// what the experience is, and what an actor needs to act as the learner expects.
std::vector<v1::AgreedSetting> AgreedSettings(const ExperimentConfig& config);

// Those, and what a learner and its replay server alone must agree on. With asynchronous actors
// that is the number of samples for each step, updates_per_step x batch_size, to which the
// server's rate limiter keeps: each of the two may change as the other does. In lockstep the
// learner keeps to it by itself; but it must not wait for fewer steps before its first update
// than the table does, which would keep it waiting while its actors wait for it.
std::vector<v1::AgreedSetting> LearnersAgreedSettings(const ExperimentConfig& config);

// `spec` with these settings.
v1::ExperienceSpec WithAgreedSettings(v1::ExperienceSpec spec,
                                      absl::Span<const v1::AgreedSetting> settings);

// FAILED_PRECONDITION that names each field on which `theirs` differ from `ours`, with both
// values. A field that either does not give is not compared.
absl::Status CheckAgreed(absl::Span<const v1::AgreedSetting> ours,
                         absl::Span<const v1::AgreedSetting> theirs);

// A number among them; none where it is not given or no number.
std::optional<int64_t> AgreedNumber(absl::Span<const v1::AgreedSetting> settings,
                                    absl::string_view field);
inline constexpr char kEnvironmentsPerActor[] = "actors.environments_per_actor";

}  // namespace cadre
