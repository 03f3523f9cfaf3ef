// Reads protobuf text format strictly, and goes on after a wrong field, so that
// every mistake is reported at once; protobuf's own parser stops at the first.
// Only a syntax error ends the reading, because what follows it cannot be trusted.
//
// Stricter than text format: no extensions, no field numbers, enums by name,
// booleans as true and false, integers in decimal.
#pragma once

#include "absl/strings/string_view.h"
#include "common/config/error_list.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace cadre {

// Reads the fields in `text` into `message`, which should be empty. Errors begin
// "<source>:<line>:<column>: ".
void ReadTextFormat(absl::string_view text, absl::string_view source,
                    google::protobuf::Message* message, ErrorList* errors);

// Reads one value for `field` of `message`: a scalar, [a, b], or { fields }. `path`
// is that of `message`. Errors begin "<source>: ".
void ReadTextValue(absl::string_view text, absl::string_view source, absl::string_view path,
                   const google::protobuf::FieldDescriptor& field,
                   google::protobuf::Message* message, ErrorList* errors);

}  // namespace cadre
