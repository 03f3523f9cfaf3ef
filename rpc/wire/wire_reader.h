// Reads one message in protobuf's wire format from memory in pieces, in place. Damage
// never reads past the pieces: the reader stops there, and ok() is false from then on.
//
//   while (reader.Next()) {
//     switch (reader.tag()) {
//       case Tag(1, WireType::kVarint): version = reader.Varint(); break;
//     }  // Whatever is not read is skipped.
//   }
//   if (!reader.ok()) ...
//
// Not thread-safe; copies share the memory.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/types/span.h"
#include "rpc/wire/wire_format.h"

namespace cadre {

class WireReader {
 public:
  using Piece = absl::Span<const std::byte>;

  // Both the pieces and what they view must outlive the reader.
  explicit WireReader(absl::Span<const Piece> pieces);

  // Goes to the next field; false at the end of the message, or where it is damaged.
  bool Next();
  bool ok() const { return !damaged_; }
  uint32_t tag() const { return tag_; }

  // The value of the field, which must have that type; once.
  uint64_t Varint();
  uint64_t Fixed64();
  double Double() { return std::bit_cast<double>(Fixed64()); }
  WireReader Message();
  std::string String();
  // What the field holds as it stands, appended to `pieces`, a vector of Piece: for a
  // kBytes field its content, for a fixed one the number. Repeated numbers may come
  // packed or one by one, or both: their bytes are the same.
  template <typename Pieces>
  void Bytes(Pieces* pieces) {
    Take(type() == WireType::kBytes ? TakeLength() : TakeFixedSize(),
         [pieces](Piece piece) { pieces->push_back(piece); });
  }

 private:
  template <typename Visit>
  void Take(uint64_t bytes, Visit visit) {  // At most left_.
    left_ -= bytes;
    while (bytes > 0) {
      while (at_ == piece_->size()) NextPiece();
      const size_t size = bytes < piece_->size() - at_ ? bytes : piece_->size() - at_;
      visit(piece_->subspan(at_, size));
      at_ += size;
      bytes -= size;
    }
  }
  void NextPiece() {
    ++piece_;
    at_ = 0;
  }
  uint64_t TakeVarint();
  uint64_t TakeLength();     // What may be taken then; 0 where it is damaged.
  uint64_t TakeFixedSize();  // Likewise.
  void SkipValue();
  void Damaged();
  WireType type() const { return static_cast<WireType>(tag_ & 7); }

  const Piece* piece_;
  size_t at_ = 0;      // Into the piece.
  uint64_t left_ = 0;  // Of the message; so much there is in the pieces.
  uint32_t tag_ = 0;
  bool unread_ = false;  // The value of the field.
  bool damaged_ = false;
};

}  // namespace cadre
