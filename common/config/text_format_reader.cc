#include "common/config/text_format_reader.h"

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/config/config_schema.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "proto/options.pb.h"

namespace cadre {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::io::ArrayInputStream;
using google::protobuf::io::ErrorCollector;
using google::protobuf::io::Tokenizer;

// A recursive-descent reader. Methods that return bool return false on a syntax
// error, which is then reported; a wrong field is reported and skipped.
class Reader final : private ErrorCollector {
 public:
  Reader(absl::string_view text, absl::string_view source, bool positions, ErrorList* errors)
      : source_(source),
        positions_(positions),
        errors_(errors),
        input_(text.data(), static_cast<int>(text.size())),
        tokenizer_(&input_, this) {
    tokenizer_.set_comment_style(Tokenizer::SH_COMMENT_STYLE);
    tokenizer_.Next();
  }

  // Fields up to `close`; up to the end where it is empty.
  bool ReadFields(absl::string_view path, absl::string_view close, Message* message) {
    while (true) {
      if (close.empty() ? AtEnd() : TryConsume(close)) return true;
      if (!ReadField(path, message)) return false;
      if (!TryConsume(",")) TryConsume(";");
    }
  }

  // One value, or a list of them where the field is repeated.
  bool ReadValues(absl::string_view path, const FieldDescriptor& field, Message* message) {
    if (!field.is_repeated() || !TryConsume("[")) return ReadValue(path, field, message);
    if (TryConsume("]")) {
      OnEmptyList(field, message);
      return true;
    }
    do {
      if (!ReadValue(path, field, message)) return false;
    } while (TryConsume(","));
    return Consume("]");
  }

  bool ConsumeEnd() { return AtEnd() || Expected("the end"); }

 private:
  void AddError(int line, google::protobuf::io::ColumnNumber column,
                const std::string& message) override {
    errors_->Add(positions_ ? absl::StrCat(source_, ":", line + 1, ":", column + 1, ": ", message)
                            : absl::StrCat(source_, ": ", message));
  }
  // A list that is empty, not merely absent.
  static void OnEmptyList(const FieldDescriptor& list, Message* message) {
    const std::string& sets = list.options().GetExtension(set_by_empty_list);
    if (!sets.empty())
      message->GetReflection()->SetBool(message, message->GetDescriptor()->FindFieldByName(sets),
                                        true);
  }
  void ErrorAt(const Tokenizer::Token& token, const std::string& message) {
    AddError(token.line, token.column, message);
  }
  bool Expected(absl::string_view what) {
    ErrorAt(token(),
            absl::StrCat("got ", AtEnd() ? "the end" : Quoted(token().text), "; wanted ", what));
    return false;
  }
  static std::string Quoted(absl::string_view text) {
    return absl::StrCat("'", absl::CEscape(text), "'");
  }

  const Tokenizer::Token& token() { return tokenizer_.current(); }
  bool AtEnd() { return token().type == Tokenizer::TYPE_END; }
  bool At(absl::string_view symbol) {
    return token().type == Tokenizer::TYPE_SYMBOL && token().text == symbol;
  }
  bool TryConsume(absl::string_view symbol) {
    if (!At(symbol)) return false;
    tokenizer_.Next();
    return true;
  }
  bool Consume(absl::string_view symbol) { return TryConsume(symbol) || Expected(Quoted(symbol)); }

  bool ReadField(absl::string_view path, Message* message) {
    if (token().type != Tokenizer::TYPE_IDENTIFIER) return Expected("a field name");
    const Tokenizer::Token name = token();
    tokenizer_.Next();
    const FieldDescriptor* field = message->GetDescriptor()->FindFieldByName(name.text);
    const std::string problem = field == nullptr
                                    ? UnknownField(*message->GetDescriptor(), path, name.text)
                                    : Conflict(path, *field, *message);
    if (!problem.empty()) {
      ErrorAt(name, problem);
      return SkipFieldValue();
    }
    const bool is_message = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (!TryConsume(":") && !is_message) return Expected("':'");
    return ReadValues(path, *field, message);
  }

  // Why `field` must not be given once more; empty where it may.
  static std::string Conflict(absl::string_view path, const FieldDescriptor& field,
                              const Message& message) {
    const Reflection* reflection = message.GetReflection();
    if (field.is_repeated()) return "";
    if (reflection->HasField(message, &field))
      return absl::StrCat(JoinPath(path, field.name()), ": given twice; wanted once");
    const auto* oneof = field.containing_oneof();
    if (oneof == nullptr || !reflection->HasOneof(message, oneof)) return "";
    const FieldDescriptor* other = reflection->GetOneofFieldDescriptor(message, oneof);
    return absl::StrCat(JoinPath(path, field.name()), ": given besides '", other->name(),
                        "'; wanted one ", oneof->name());
  }

  bool ReadValue(absl::string_view path, const FieldDescriptor& field, Message* message) {
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE)
      return ReadScalar(path, field, message);
    const char* close = TryConsume("{") ? "}" : TryConsume("<") ? ">" : nullptr;
    if (close == nullptr) return Expected("'{'");
    const Reflection* reflection = message->GetReflection();
    Message* inner = field.is_repeated() ? reflection->AddMessage(message, &field)
                                         : reflection->MutableMessage(message, &field);
    return ReadFields(JoinPath(path, field.name()), close, inner);
  }

  bool ReadScalar(absl::string_view path, const FieldDescriptor& field, Message* message) {
    const Tokenizer::Token first = token();
    std::string value;
    bool stored = false;
    if (first.type == Tokenizer::TYPE_STRING) {
      value = ConsumeString();
      stored =
          field.cpp_type() == FieldDescriptor::CPPTYPE_STRING && StoreScalar(field, value, message);
      value = absl::StrCat("\"", absl::CEscape(value), "\"");
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      value = Quoted(ConsumeRestOfLine());
    } else {
      if (TryConsume("-")) value.push_back('-');
      if (token().type == Tokenizer::TYPE_SYMBOL || AtEnd()) return Expected("a value");
      absl::StrAppend(&value, token().text);
      tokenizer_.Next();
      stored = StoreScalar(field, value, message);
      value = Quoted(value);
    }
    if (stored) return true;
    const bool is_string = field.cpp_type() == FieldDescriptor::CPPTYPE_STRING;
    ErrorAt(first, absl::StrCat(JoinPath(path, field.name()), ": got ", value, "; wanted ",
                                is_string ? "a string in quotes" : WantedValue(field)));
    return true;
  }

  // Adjacent strings are one.
  std::string ConsumeString() {
    std::string value;
    for (; token().type == Tokenizer::TYPE_STRING; tokenizer_.Next())
      Tokenizer::ParseStringAppend(token().text, &value);
    return value;
  }

  // What stands where a quoted string should.
  std::string ConsumeRestOfLine() {
    std::string value;
    const int line = token().line;
    while (!AtEnd() && token().line == line && !At("}") && !At(">") && !At(",") && !At(";")) {
      absl::StrAppend(&value, token().text);
      tokenizer_.Next();
    }
    return value;
  }

  // The value of a field that is not to be stored.
  bool SkipFieldValue() {
    if (!TryConsume(":") && !At("{") && !At("<")) return Expected("':' or '{'");
    if (At("{") || At("<") || At("[")) return SkipBrackets();
    if (token().type == Tokenizer::TYPE_STRING) {
      ConsumeString();
      return true;
    }
    TryConsume("-");
    if (token().type == Tokenizer::TYPE_SYMBOL || AtEnd()) return Expected("a value");
    tokenizer_.Next();
    return true;
  }

  bool SkipBrackets() {
    std::vector<std::string> open;
    do {
      if (AtEnd()) return Expected(absl::StrCat("'", open.back(), "'"));
      if (At("{")) {
        open.push_back("}");
      } else if (At("<")) {
        open.push_back(">");
      } else if (At("[")) {
        open.push_back("]");
      } else if (At(open.back())) {
        open.pop_back();
      } else if (At("}") || At(">") || At("]")) {
        return Expected(absl::StrCat("'", open.back(), "'"));
      }
      tokenizer_.Next();
    } while (!open.empty());
    return true;
  }

  const std::string source_;
  const bool positions_;
  ErrorList* const errors_;
  ArrayInputStream input_;
  Tokenizer tokenizer_;
};

}  // namespace

void ReadTextFormat(absl::string_view text, absl::string_view source, Message* message,
                    ErrorList* errors) {
  Reader(text, source, /*positions=*/true, errors).ReadFields("", "", message);
}

void ReadTextValue(absl::string_view text, absl::string_view source, absl::string_view path,
                   const FieldDescriptor& field, Message* message, ErrorList* errors) {
  Reader reader(text, source, /*positions=*/false, errors);
  if (reader.ReadValues(path, field, message)) reader.ConsumeEnd();
}

}  // namespace cadre
