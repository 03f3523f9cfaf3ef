// Large memory straight from the system: zeros that take up no room until they are
// touched, or a file for what is larger than memory.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace cadre {

class MappedMemory {
 public:
  // RESOURCE_EXHAUSTED where the system has not so much.
  static absl::StatusOr<MappedMemory> Anonymous(size_t bytes);

  // Of the file at `path`, which is made, or emptied first. All of its room on the disk
  // is taken here: RESOURCE_EXHAUSTED where it is full, instead of a fault in a later
  // write. FAILED_PRECONDITION where another process maps the file. The file goes
  // with its mapping.
  static absl::StatusOr<MappedMemory> OfFile(const std::string& path, size_t bytes);

  MappedMemory() = default;
  MappedMemory(MappedMemory&& other) noexcept { *this = std::move(other); }
  MappedMemory& operator=(MappedMemory&& other) noexcept;
  ~MappedMemory();

  std::byte* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  std::byte* data_ = nullptr;  // At the start of a page.
  size_t size_ = 0;
  int file_ = -1;  // Locked as long as it is mapped.
  std::string path_;
};

}  // namespace cadre
