#include "common/config/config_schema.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "google/protobuf/text_format.h"
#include "proto/options.pb.h"

namespace cadre {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// " of at least 1", " from 0 to 1", " above 0 and at most 1"; empty where it is open.
std::string RangeText(const Range& range) {
  if (range.has_min() && range.has_max())
    return absl::StrCat(" from ", NumberText(range.min()), " to ", NumberText(range.max()));
  std::vector<std::string> bounds;
  if (range.has_min()) bounds.push_back(absl::StrCat("of at least ", NumberText(range.min())));
  if (range.has_above()) bounds.push_back(absl::StrCat("above ", NumberText(range.above())));
  if (range.has_max()) bounds.push_back(absl::StrCat("at most ", NumberText(range.max())));
  if (range.has_below()) bounds.push_back(absl::StrCat("below ", NumberText(range.below())));
  return bounds.empty() ? "" : absl::StrCat(" ", absl::StrJoin(bounds, " and "));
}

std::string EnumNames(const EnumDescriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.value_count(); ++i) names.push_back(type.value(i)->name());
  return absl::StrJoin(names, ", ");
}

// Levenshtein distance.
int EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<int> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 0; i < a.size(); ++i) {
    int diagonal = std::exchange(row[0], static_cast<int>(i) + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const int substituted = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

// Decimal only: text format would read a leading 0 as octal.
template <typename T>
bool ParseInteger(absl::string_view text, T* value) {
  const absl::string_view digits = absl::StripPrefix(text, "-");
  if (digits.empty() || (digits.size() > 1 && digits[0] == '0')) return false;
  return absl::SimpleAtoi(text, value);
}

bool ParseBool(absl::string_view text, bool* value) {
  *value = text == "true";
  return text == "true" || text == "false";
}

// Sets or adds, whichever the field wants.
template <typename T, typename Parse, typename Set, typename Add>
bool Store(const FieldDescriptor& field, absl::string_view text, Message* message, Parse parse,
           Set set, Add add) {
  T value{};
  if (!parse(text, &value)) return false;
  const Reflection* reflection = message->GetReflection();
  if (field.is_repeated()) {
    (reflection->*add)(message, &field, value);
  } else {
    (reflection->*set)(message, &field, value);
  }
  return true;
}

bool StoreEnum(const FieldDescriptor& field, absl::string_view text, Message* message) {
  const auto* value = field.enum_type()->FindValueByName(std::string(text));
  if (value == nullptr) return false;
  const Reflection* reflection = message->GetReflection();
  field.is_repeated() ? reflection->AddEnum(message, &field, value)
                      : reflection->SetEnum(message, &field, value);
  return true;
}

bool StoreString(const FieldDescriptor& field, absl::string_view text, Message* message) {
  const Reflection* reflection = message->GetReflection();
  field.is_repeated() ? reflection->AddString(message, &field, std::string(text))
                      : reflection->SetString(message, &field, std::string(text));
  return true;
}

}  // namespace

std::string NumberText(double value) {
  if (std::abs(value) < 1e15 && value == std::trunc(value))
    return absl::StrCat(static_cast<int64_t>(value));
  return absl::StrFormat("%.10g", value);
}

std::string WantedValue(const FieldDescriptor& field) {
  Range range = field.options().GetExtension(cadre::range);
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return "{ ... }";
    case FieldDescriptor::CPPTYPE_ENUM:
      return absl::StrCat("one of ", EnumNames(*field.enum_type()));
    case FieldDescriptor::CPPTYPE_BOOL:
      return "true or false";
    case FieldDescriptor::CPPTYPE_STRING:
      return "a string";
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT: {
      const std::string text = RangeText(range);
      return text.empty() ? "a finite number" : absl::StrCat("a number", text);
    }
    case FieldDescriptor::CPPTYPE_INT32:
      if (!range.has_max()) range.set_max(std::numeric_limits<int32_t>::max());
      break;
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      if (!range.has_min()) range.set_min(0);
      break;
    case FieldDescriptor::CPPTYPE_INT64:
      break;
  }
  return absl::StrCat("an integer", RangeText(range));
}

std::string UnknownField(const Descriptor& message, absl::string_view path,
                         absl::string_view name) {
  std::vector<std::string> fields;
  for (int i = 0; i < message.field_count(); ++i) fields.push_back(message.field(i)->name());
  return absl::StrCat("unknown field '", JoinPath(path, name), "'", DidYouMean(name, fields),
                      "fields of ", message.name(), ": ", absl::StrJoin(fields, ", "));
}

std::string DidYouMean(absl::string_view word, const std::vector<std::string>& candidates) {
  // A third of the letters may be wrong.
  int best_distance = std::max<int>(1, static_cast<int>(word.size()) / 3) + 1;
  std::string best;
  for (const std::string& candidate : candidates) {
    const int distance = EditDistance(word, candidate);
    if (distance >= best_distance) continue;
    best_distance = distance;
    best = candidate;
  }
  return best.empty() ? "; " : absl::StrCat("; did you mean '", best, "'? ");
}

std::string JoinPath(absl::string_view path, absl::string_view name) {
  return path.empty() ? std::string(name) : absl::StrCat(path, ".", name);
}

bool StoreScalar(const FieldDescriptor& field, absl::string_view text, Message* message) {
  using R = Reflection;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return Store<int32_t>(field, text, message, ParseInteger<int32_t>, &R::SetInt32,
                            &R::AddInt32);
    case FieldDescriptor::CPPTYPE_INT64:
      return Store<int64_t>(field, text, message, ParseInteger<int64_t>, &R::SetInt64,
                            &R::AddInt64);
    case FieldDescriptor::CPPTYPE_UINT32:
      return Store<uint32_t>(field, text, message, ParseInteger<uint32_t>, &R::SetUInt32,
                             &R::AddUInt32);
    case FieldDescriptor::CPPTYPE_UINT64:
      return Store<uint64_t>(field, text, message, ParseInteger<uint64_t>, &R::SetUInt64,
                             &R::AddUInt64);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return Store<double>(field, text, message, absl::SimpleAtod, &R::SetDouble, &R::AddDouble);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return Store<float>(field, text, message, absl::SimpleAtof, &R::SetFloat, &R::AddFloat);
    case FieldDescriptor::CPPTYPE_BOOL:
      return Store<bool>(field, text, message, ParseBool, &R::SetBool, &R::AddBool);
    case FieldDescriptor::CPPTYPE_ENUM:
      return StoreEnum(field, text, message);
    case FieldDescriptor::CPPTYPE_STRING:
      return StoreString(field, text, message);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return false;
  }
  return false;
}

std::string FieldText(const Message& message, const FieldDescriptor& field) {
  google::protobuf::TextFormat::Printer printer;
  printer.SetSingleLineMode(true);
  const bool braces = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
  const auto text_of = [&](int index) {
    std::string text;
    printer.PrintFieldValueToString(message, &field, index, &text);
    return braces ? absl::StrCat("{ ", text, "}") : text;
  };
  if (!field.is_repeated()) return text_of(-1);
  std::vector<std::string> elements;
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i)
    elements.push_back(text_of(i));
  return absl::StrCat("[", absl::StrJoin(elements, ", "), "]");
}

}  // namespace cadre
