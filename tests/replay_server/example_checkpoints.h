// Tables for tests of checkpoints: bytes with a length before them.
#pragma once

#include <cstring>
#include <string>

#include "common/random.h"
#include "common/status_macros.h"
#include "replay_server/storage/table_checkpoint.h"

namespace cadre {

inline absl::Span<std::byte> BytesOf(std::string& text) {
  return {reinterpret_cast<std::byte*>(text.data()), text.size()};
}

inline std::string RandomText(uint64_t seed, size_t size) {
  Random random(seed);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

struct ExampleTable {
  std::string contents;
  size_t piece = 1000;  // Bytes that are written or read at once.

  absl::Status Save(const CheckpointedTable::Write& write) const {
    std::string length(sizeof(uint64_t), '\0');
    const uint64_t size = contents.size();
    std::memcpy(length.data(), &size, sizeof(size));
    CADRE_RETURN_IF_ERROR(write(BytesOf(length)));
    std::string copy = contents;
    const absl::Span<std::byte> bytes = BytesOf(copy);
    for (size_t begin = 0; begin < bytes.size(); begin += piece)
      CADRE_RETURN_IF_ERROR(write(bytes.subspan(begin, piece)));
    return absl::OkStatus();
  }

  absl::Status Restore(const CheckpointedTable::Read& read) {
    std::string length(sizeof(uint64_t), '\0');
    CADRE_RETURN_IF_ERROR(read(BytesOf(length)));
    uint64_t size;
    std::memcpy(&size, length.data(), sizeof(size));
    contents.resize(size);
    const absl::Span<std::byte> bytes = BytesOf(contents);
    for (size_t begin = 0; begin < bytes.size(); begin += piece)
      CADRE_RETURN_IF_ERROR(read(bytes.subspan(begin, piece)));
    return absl::OkStatus();
  }

  // This object must outlive it.
  CheckpointedTable Named(const std::string& name) {
    return {name, [this](const CheckpointedTable::Write& write) { return Save(write); },
            [this](const CheckpointedTable::Read& read) { return Restore(read); }};
  }
};

}  // namespace cadre
