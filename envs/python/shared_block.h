// The memory that a batch of environments shares with a process that steps them, or steps by
// them: the other end is python/cadre/protocol.py. One file without a name, mapped by both.
// Whoever writes when follows from the messages between the two; there is no lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/spaces.h"
#include "envs/environment.h"

namespace cadre {

// Of the messages and of the block.
inline constexpr int kPythonProtocol = 1;

// Where each array begins, in bytes from the block's begin. N rows each.
struct BlockLayout {
  BlockLayout(const EnvironmentSpec& spec, int64_t count);

  int64_t count;        // N
  int64_t bytes = 0;    // Of the whole block.
  int64_t actions = 0;  // int32 [N, K] or float32 [N, A]
  int64_t stepped = 0, skipped = 0, terminated = 0, truncated = 0;  // uint8 [N]
  int64_t rewards = 0;                                              // float32 [N]
  int64_t seeds = 0;                                                // int64 [N]
  std::vector<int64_t> observations, final_observations;            // By shown column.
};

// As the other end reads it: a JSON object.
std::string LayoutJson(const BlockLayout& layout);

// A file without a name, empty as yet, and inherited by nobody.
absl::StatusOr<int> OpenSharedMemory();

class SharedBlock {
 public:
  // Makes the file as long as the layout wants, and maps it. Does not close it.
  static absl::StatusOr<std::unique_ptr<SharedBlock>> Create(int file, const EnvironmentSpec& spec,
                                                             int64_t count);
  ~SharedBlock();
  SharedBlock(const SharedBlock&) = delete;
  SharedBlock& operator=(const SharedBlock&) = delete;

  const BlockLayout& layout() const { return layout_; }

  absl::Span<std::byte> actions() { return {begin_ + layout_.actions, action_bytes_}; }
  absl::Span<uint8_t> stepped() { return Array<uint8_t>(layout_.stepped); }
  absl::Span<uint8_t> skipped() const { return Array<uint8_t>(layout_.skipped); }
  absl::Span<uint8_t> terminated() const { return Array<uint8_t>(layout_.terminated); }
  absl::Span<uint8_t> truncated() const { return Array<uint8_t>(layout_.truncated); }
  absl::Span<float> rewards() const { return Array<float>(layout_.rewards); }
  absl::Span<int64_t> seeds() { return Array<int64_t>(layout_.seeds); }
  ShownBlocks observations() const { return observations_; }
  ShownBlocks final_observations() const { return final_observations_; }
  // The same to be written, by column.
  absl::Span<std::byte> observation(size_t column) { return Writable(observations_[column]); }
  absl::Span<std::byte> final_observation(size_t column) {
    return Writable(final_observations_[column]);
  }

 private:
  SharedBlock(BlockLayout layout, const EnvironmentSpec& spec, std::byte* begin);

  template <typename T>
  absl::Span<T> Array(int64_t offset) const {
    return {reinterpret_cast<T*>(begin_ + offset), static_cast<size_t>(layout_.count)};
  }
  static absl::Span<std::byte> Writable(absl::Span<const std::byte> block) {
    return {const_cast<std::byte*>(block.data()), block.size()};
  }

  const BlockLayout layout_;
  std::byte* const begin_;
  const size_t action_bytes_;
  std::vector<absl::Span<const std::byte>> observations_, final_observations_;
};

}  // namespace cadre
