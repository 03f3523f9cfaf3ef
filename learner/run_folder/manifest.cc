#include "learner/run_folder/manifest.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include "absl/strings/str_cat.h"
#include "common/files/file_io.h"

namespace cadre {
namespace {

constexpr char kHeader[] =
    "# proto-file: proto/config.proto\n"
    "# proto-message: cadre.CheckpointManifest\n";
constexpr char kChecksumLine[] = "# CRC-32C of the lines above: ";

std::string ChecksumLine(absl::string_view lines) {
  return absl::StrCat(kChecksumLine, absl::Hex(Crc32c(lines), absl::kZeroPad8), "\n");
}

// Keeps the first error instead of logging it.
class FirstError final : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, google::protobuf::io::ColumnNumber column,
                const std::string& message) override {
    if (text_.empty()) text_ = absl::StrCat("line ", line + 1, ": ", message);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace

std::string ManifestText(const CheckpointManifest& manifest) {
  std::string fields;
  google::protobuf::TextFormat::PrintToString(manifest, &fields);
  const std::string lines = absl::StrCat(kHeader, fields);
  return absl::StrCat(lines, ChecksumLine(lines));
}

absl::StatusOr<CheckpointManifest> ParseManifest(absl::string_view text) {
  const size_t end = text.rfind(kChecksumLine);
  if (end == absl::string_view::npos) return absl::DataLossError("has no line with its checksum");
  const absl::string_view lines = text.substr(0, end);
  if (text.substr(end) != ChecksumLine(lines)) {
    return absl::DataLossError("does not have the checksum that its last line says");
  }
  FirstError error;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  CheckpointManifest manifest;
  if (!parser.ParseFromString(std::string(lines), &manifest)) {
    return absl::DataLossError(error.text());
  }
  return manifest;
}

}  // namespace cadre
