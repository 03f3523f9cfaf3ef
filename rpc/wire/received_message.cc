#include "rpc/wire/received_message.h"

#include <utility>

namespace cadre {
namespace {

absl::string_view TextOf(absl::Span<const std::byte> piece) {
  return {reinterpret_cast<const char*>(piece.data()), piece.size()};
}

}  // namespace

ReceivedMessage::ReceivedMessage(const grpc::ByteBuffer& message) {
  if (!message.Valid() || !message.Dump(&slices_).ok()) return;
  for (const grpc::Slice& slice : slices_)
    pieces_.emplace_back(reinterpret_cast<const std::byte*>(slice.begin()), slice.size());
}

absl::string_view ReceivedMessage::Text(WireReader& reader) {
  PiecewiseBytes pieces;
  reader.Bytes(&pieces);
  if (pieces.empty()) return "";
  if (pieces.size() == 1) return TextOf(pieces.front());
  auto copy = std::make_unique<std::string>();
  for (const absl::Span<const std::byte> piece : pieces) {
    const absl::string_view text = TextOf(piece);
    copy->append(text.data(), text.size());
  }
  return *copies_.emplace_back(std::move(copy));
}

}  // namespace cadre
