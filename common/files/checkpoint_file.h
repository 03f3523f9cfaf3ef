// One file of a checkpoint: named parts, each a stream of bytes of any length, written
// and read in blocks, so that no more than a block is ever in memory.
//
//   file   magic, block...                    the magic says of what; the last block is the end
//   block  kind u32, size u32, CRC-32C u32, payload of `size` bytes, at most 1 MiB
//   kinds  part: a part begins, the payload is its name
//          data: of the part that began last
//          end:  u64, the number of blocks before it
//
// Little-endian. A block's checksum is over its position among the blocks, its kind, its
// size and its payload, so that no byte of the file can change, go or come unnoticed, and
// no block can stand for another. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace cadre {

// Of what a checkpoint is, as the first bytes of its file.
inline constexpr absl::string_view kReplayCheckpoint("cadre replay 1\r\n", 16);
inline constexpr absl::string_view kParameterSnapshot("cadre params 1\r\n", 16);

// What a file that is being written is called besides its own name.
inline constexpr char kWritingSuffix[] = ".writing";

// Writes `<path>.writing`, which gets its name in Commit(), when it is whole and on the
// disk. Without that it is removed: nothing half-written is left.
class CheckpointFileWriter {
 public:
  // `magic`: one of the above.
  CheckpointFileWriter(std::string path, absl::string_view magic);
  ~CheckpointFileWriter();
  CheckpointFileWriter(const CheckpointFileWriter&) = delete;
  CheckpointFileWriter& operator=(const CheckpointFileWriter&) = delete;

  // In this order: Open, then for each part BeginPart and Append..., then Commit. After an
  // error only the destructor may come.
  absl::Status Open();
  absl::Status BeginPart(absl::string_view name);
  absl::Status Append(absl::Span<const std::byte> bytes);
  absl::Status Commit();

  int64_t bytes() const { return bytes_; }  // Written so far.

 private:
  absl::Status FlushData();
  absl::Status WriteBlock(uint32_t kind, absl::string_view payload);
  absl::Status Write(absl::string_view bytes);
  absl::Status Failed(absl::string_view action) const;

  const std::string path_;
  const absl::string_view magic_;
  const std::string writing_path_;
  int fd_ = -1;
  bool exists_ = false;  // writing_path_.
  int64_t bytes_ = 0;
  int64_t unsynced_ = 0;  // Of them.
  uint64_t blocks_ = 0;
  std::string data_;  // The next data block.
};

// All errors are DATA_LOSS, "'<path>' is damaged at byte N: ...", or the file system's.
class CheckpointFileReader {
 public:
  CheckpointFileReader(std::string path, absl::string_view magic);
  ~CheckpointFileReader();
  CheckpointFileReader(const CheckpointFileReader&) = delete;
  CheckpointFileReader& operator=(const CheckpointFileReader&) = delete;

  absl::Status Open();

  // Goes to the next part; the former must have been read to its end. False at the end of
  // the file, which then is whole.
  absl::StatusOr<bool> NextPart(std::string* name);
  // Fills all of `bytes` from the part. DATA_LOSS where the part ends before.
  absl::Status Read(absl::Span<std::byte> bytes);
  // What is left of the part, all of it.
  absl::StatusOr<std::string> ReadPart();
  // Passes over what is left of the part, checking it, and returns how much that was.
  absl::StatusOr<int64_t> SkipPart();

 private:
  absl::Status ReadBlock();
  // Of the file; false where it ends instead, with nothing read.
  absl::StatusOr<bool> ReadExactly(char* to, size_t size);
  absl::Status Damaged(absl::string_view what) const;

  const std::string path_;
  const absl::string_view magic_;
  int fd_ = -1;
  int64_t bytes_ = 0;  // Read so far.
  uint64_t blocks_ = 0;
  uint32_t kind_ = 0;    // Of the block read last.
  std::string payload_;  // Its.
  size_t used_ = 0;      // Of payload_, where it is data.
};

}  // namespace cadre
