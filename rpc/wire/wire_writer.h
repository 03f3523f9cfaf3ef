// Writes one message in protobuf's wire format as slices for gRPC: large blocks are
// referred to, what is small is copied between them. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "google/protobuf/message_lite.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/slice.h"
#include "rpc/wire/wire_format.h"

namespace cadre {

class WireWriter {
 public:
  // `owner` keeps every block alive, until gRPC has sent the message.
  explicit WireWriter(std::shared_ptr<const void> owner) : owner_(std::move(owner)) {}

  // As proto3 has it, what is 0 or empty is left out.
  void Varint(uint32_t field, uint64_t value);
  void Fixed64(uint32_t field, uint64_t value);
  void Double(uint32_t field, double value);
  void String(uint32_t field, absl::string_view text);
  // Repeated numbers of a fixed size, packed.
  template <typename Number>
  void Packed(uint32_t field, absl::Span<const Number> numbers) {
    if (!numbers.empty())
      Block(field,
            {reinterpret_cast<const std::byte*>(numbers.data()), numbers.size() * sizeof(Number)});
  }
  // Elements of repeated fields: there even if they are empty. Pieces become one.
  void Block(uint32_t field, absl::Span<const std::byte> block);
  void Pieces(uint32_t field, absl::Span<const absl::Span<const std::byte>> pieces);
  void Message(uint32_t field, const google::protobuf::MessageLite& message);

  // All that was written, as `field` of a message that has nothing else. Once.
  grpc::ByteBuffer FinishAsField(uint32_t field);

 private:
  void PutTag(uint32_t field, WireType type);
  void PutLength(uint64_t bytes);
  void EndCopied();  // What was copied becomes a slice.

  const std::shared_ptr<const void> owner_;
  std::vector<grpc::Slice> slices_{1};  // The first is the envelope's.
  size_t bytes_ = 0;                    // Of the slices.
  std::string copied_;                  // To follow them.
};

}  // namespace cadre
