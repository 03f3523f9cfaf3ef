// Config messages by reflection: what a field takes, in words, and storing a value
// that was given as text. Shared by the reader, the overrides and the validator.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace cadre {

// "a number above 0 and at most 1", "one of TANH, RELU", "true or false".
std::string WantedValue(const google::protobuf::FieldDescriptor& field);

// "unknown field 'ppo.gama'; did you mean 'gamma'? fields of PpoConfig: ...".
std::string UnknownField(const google::protobuf::Descriptor& message, absl::string_view path,
                         absl::string_view name);

// "; did you mean 'gamma'? ", or "; " where no candidate is close to `word`.
std::string DidYouMean(absl::string_view word, const std::vector<std::string>& candidates);

// Path of a field inside the message at `path`, which is empty at the top.
std::string JoinPath(absl::string_view path, absl::string_view name);

// Stores a scalar given as text: sets the field, or adds to it where it is
// repeated. False, and nothing stored, where the text is not of the field's type.
// Strings are stored as they are.
bool StoreScalar(const google::protobuf::FieldDescriptor& field, absl::string_view text,
                 google::protobuf::Message* message);

// A number as short as it can be said: "0.2", "65536", "1e-05".
std::string NumberText(double value);

// The value of a field on one line, as the text format has it; "[a, b]" if it is repeated.
std::string FieldText(const google::protobuf::Message& message,
                      const google::protobuf::FieldDescriptor& field);

}  // namespace cadre
