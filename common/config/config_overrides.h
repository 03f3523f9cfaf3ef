// `--set path=value`: changes one field of a config message by its path.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "google/protobuf/message.h"

namespace cadre {

// `assignment` is "path=value": field names joined by dots, and the value as text
// format writes it; strings need no quotes.
//   ppo.clip_range=0.1   model.mlp.hidden=[64,64]   actors.mode=ASYNCHRONOUS
//   environment.id=Acrobot-v1   stop={env_steps: 1000}
// A repeated field or a whole message is replaced, not added to. A path inside
// another member of a oneof replaces the member that was set. On error, which
// says path, got and wanted, `message` is unchanged.
absl::Status ApplyOverride(absl::string_view assignment, google::protobuf::Message* message);

// Each in order. INVALID_ARGUMENT with a line for each that is wrong; the others apply.
absl::Status ApplyOverrides(absl::Span<const std::string> assignments,
                            google::protobuf::Message* message);

}  // namespace cadre
