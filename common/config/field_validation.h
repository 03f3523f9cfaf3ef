// Each field of a message by the options of its schema: required_field, range; numbers must be
// finite. Knows no rules between fields. Pure.
#pragma once

#include "absl/strings/string_view.h"
#include "common/config/error_list.h"
#include "google/protobuf/message.h"

namespace cadre {

// Adds a line for each field that breaks them: its path, what was given, what is allowed. `path`
// stands before the fields' names.
void CheckMessageFields(const google::protobuf::Message& message, absl::string_view path,
                        ErrorList* errors);

}  // namespace cadre
