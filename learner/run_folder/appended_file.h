// A file that grows by whole records: a record that cannot be written as a whole,
// because the disk is full for instance, leaves nothing behind. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cadre {

class AppendedFile {
 public:
  // A new file, where there is none of that name: ALREADY_EXISTS otherwise.
  static absl::StatusOr<std::unique_ptr<AppendedFile>> CreateNew(std::string path);
  // Goes on at the end of a file, or starts it.
  static absl::StatusOr<std::unique_ptr<AppendedFile>> Open(std::string path);
  ~AppendedFile();

  AppendedFile(const AppendedFile&) = delete;
  AppendedFile& operator=(const AppendedFile&) = delete;

  // Hands the record to the operating system: readers see it at once.
  absl::Status Append(absl::string_view record);

  const std::string& path() const { return path_; }
  int64_t size() const { return size_; }  // Bytes.

 private:
  static absl::StatusOr<std::unique_ptr<AppendedFile>> OpenWith(std::string path, int flags);
  AppendedFile(std::string path, int fd, int64_t size)
      : path_(std::move(path)), fd_(fd), size_(size) {}

  const std::string path_;
  const int fd_;
  int64_t size_;
};

}  // namespace cadre
