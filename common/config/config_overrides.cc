#include "common/config/config_overrides.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/config/config_schema.h"
#include "common/config/error_list.h"
#include "common/config/text_format_reader.h"
#include "common/status_macros.h"
#include "google/protobuf/descriptor.h"

namespace cadre {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

bool IsQuoted(absl::string_view text) {
  return absl::StartsWith(text, "\"") || absl::StartsWith(text, "'");
}

// Replaces the value of `field` in `parent`, whose path is `path`.
absl::Status ReplaceValue(absl::string_view source, absl::string_view path,
                          const FieldDescriptor& field, absl::string_view value, Message* parent) {
  parent->GetReflection()->ClearField(parent, &field);
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING && !field.is_repeated() &&
      !IsQuoted(value)) {
    StoreScalar(field, value, parent);
    return absl::OkStatus();
  }
  ErrorList errors;
  ReadTextValue(value, source, path, field, parent, &errors);
  return errors.ToStatus();
}

}  // namespace

absl::Status ApplyOverride(absl::string_view assignment, Message* message) {
  const std::string source = absl::StrCat("--set ", absl::CEscape(assignment));
  const size_t equals = assignment.find('=');
  if (equals == absl::string_view::npos || equals == 0)
    return absl::InvalidArgumentError(absl::StrCat(source, ": wanted path=value"));
  const absl::string_view value = absl::StripAsciiWhitespace(assignment.substr(equals + 1));
  const std::vector<std::string> names =
      absl::StrSplit(absl::StripAsciiWhitespace(assignment.substr(0, equals)), '.');

  const std::unique_ptr<Message> changed(message->New());
  changed->CopyFrom(*message);
  Message* parent = changed.get();
  std::string path;
  for (size_t i = 0; i < names.size(); ++i) {
    const FieldDescriptor* field = parent->GetDescriptor()->FindFieldByName(names[i]);
    if (field == nullptr)
      return absl::InvalidArgumentError(
          absl::StrCat(source, ": ", UnknownField(*parent->GetDescriptor(), path, names[i])));
    if (i + 1 == names.size()) {
      CADRE_RETURN_IF_ERROR(ReplaceValue(source, path, *field, value, parent));
      break;
    }
    path = JoinPath(path, names[i]);
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field->is_repeated())
      return absl::InvalidArgumentError(
          absl::StrCat(source, ": '", path, "' has no fields; it is ", WantedValue(*field)));
    parent = parent->GetReflection()->MutableMessage(parent, field);
  }
  message->GetReflection()->Swap(message, changed.get());
  return absl::OkStatus();
}

absl::Status ApplyOverrides(absl::Span<const std::string> assignments, Message* message) {
  ErrorList errors;
  for (const std::string& assignment : assignments) {
    const absl::Status status = ApplyOverride(assignment, message);
    if (!status.ok()) errors.Add(std::string(status.message()));
  }
  return errors.ToStatus();
}

}  // namespace cadre
