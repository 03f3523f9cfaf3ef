#include "rpc/server/port_file.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/files/file_io.h"

namespace cadre {

absl::Status WritePortFile(const std::string& path, int port) {
  if (path.empty()) return absl::OkStatus();
  return WriteFileAtomically(path, absl::StrCat(port, "\n"));
}

absl::StatusOr<int> ReadPortFile(const std::string& path) {
  const absl::StatusOr<std::string> contents = ReadFile(path);
  if (!contents.ok()) return contents.status();
  int port = 0;
  if (!absl::SimpleAtoi(*contents, &port) || port < 1 || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("port file '", path, "' holds '", *contents, "'; wanted 1 to 65535"));
  }
  return port;
}

}  // namespace cadre
