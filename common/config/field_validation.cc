#include "common/config/field_validation.h"

#include <cmath>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/config/config_schema.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/text_format.h"
#include "proto/options.pb.h"

namespace cadre {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::TextFormat;

bool InRange(const Range& range, double value) {
  return std::isfinite(value) && !(range.has_min() && value < range.min()) &&
         !(range.has_max() && value > range.max()) &&
         !(range.has_above() && value <= range.above()) &&
         !(range.has_below() && value >= range.below());
}

// A number as a double; none for other types. `index` is that of a repeated field's
// element, -1 otherwise. An int64 so large that it is rounded is far from any bound.
std::optional<double> NumberAt(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection* reflection = message.GetReflection();
  const auto get = [&](auto singular, auto repeated) -> double {
    return index < 0 ? (reflection->*singular)(message, &field)
                     : (reflection->*repeated)(message, &field, index);
  };
  using R = Reflection;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return get(&R::GetInt32, &R::GetRepeatedInt32);
    case FieldDescriptor::CPPTYPE_INT64:
      return get(&R::GetInt64, &R::GetRepeatedInt64);
    case FieldDescriptor::CPPTYPE_UINT32:
      return get(&R::GetUInt32, &R::GetRepeatedUInt32);
    case FieldDescriptor::CPPTYPE_UINT64:
      return get(&R::GetUInt64, &R::GetRepeatedUInt64);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return get(&R::GetDouble, &R::GetRepeatedDouble);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return get(&R::GetFloat, &R::GetRepeatedFloat);
    default:
      return std::nullopt;
  }
}

void CheckNumber(const Message& message, const FieldDescriptor& field, int index,
                 const std::string& path, ErrorList* errors) {
  const std::optional<double> value = NumberAt(message, field, index);
  if (!value || InRange(field.options().GetExtension(cadre::range), *value)) return;
  std::string got;
  TextFormat::PrintFieldValueToString(message, &field, index, &got);
  errors->Add(absl::StrCat(path, ": got ", got, "; wanted ", WantedValue(field)));
}

void CheckFields(const Message& message, absl::string_view path, ErrorList* errors);

// A field that is not given. Of a message, rather what is missing inside.
void CheckAbsentField(const Message& message, const FieldDescriptor& field, const std::string& path,
                      ErrorList* errors) {
  if (!field.options().GetExtension(required_field)) return;
  const size_t before = errors->size();
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field.is_repeated())
    CheckFields(message.GetReflection()->GetMessage(message, &field), path, errors);
  if (errors->size() == before)
    errors->Add(absl::StrCat(path, ": not given; wanted ", WantedValue(field)));
}

void CheckRepeatedField(const Message& message, const FieldDescriptor& field,
                        const std::string& path, ErrorList* errors) {
  const Reflection* reflection = message.GetReflection();
  for (int index = 0; index < reflection->FieldSize(message, &field); ++index) {
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      CheckFields(reflection->GetRepeatedMessage(message, &field, index),
                  absl::StrCat(path, "[", index, "]"), errors);
    } else {
      CheckNumber(message, field, index, absl::StrCat(path, "[", index, "]"), errors);
    }
  }
}

void CheckFields(const Message& message, absl::string_view path, ErrorList* errors) {
  const Reflection* reflection = message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *message.GetDescriptor()->field(i);
    const std::string field_path = JoinPath(path, field.name());
    if (field.is_repeated() ? reflection->FieldSize(message, &field) == 0
                            : !reflection->HasField(message, &field)) {
      CheckAbsentField(message, field, field_path, errors);
    } else if (field.is_repeated()) {
      CheckRepeatedField(message, field, field_path, errors);
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      CheckFields(reflection->GetMessage(message, &field), field_path, errors);
    } else {
      CheckNumber(message, field, /*index=*/-1, field_path, errors);
    }
  }
}

}  // namespace

void CheckMessageFields(const Message& message, absl::string_view path, ErrorList* errors) {
  CheckFields(message, path, errors);
}

}  // namespace cadre
