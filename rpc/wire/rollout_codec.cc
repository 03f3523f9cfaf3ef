#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "rpc/wire/received_message.h"
#include "rpc/wire/replay_codec.h"
#include "rpc/wire/wire_writer.h"

namespace cadre {
namespace {

using Fields = v1::Rollout;

absl::Span<const std::byte> BytesOf(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

// False where those are not whole numbers.
bool DecodePriorities(const PiecewiseBytes& pieces, std::vector<float>* priorities) {
  size_t bytes = 0;
  for (const absl::Span<const std::byte> piece : pieces) bytes += piece.size();
  priorities->resize(bytes / sizeof(float));
  CopyBytes(pieces, 0, static_cast<int64_t>(priorities->size() * sizeof(float)),
            reinterpret_cast<std::byte*>(priorities->data()));
  return bytes % sizeof(float) == 0;
}

bool DecodeRollout(WireReader reader, ReceivedMessage& received, RolloutView* rollout) {
  PiecewiseBytes priorities;
  bool good = true;
  while (good && reader.Next()) {
    switch (reader.tag()) {
      case Tag(Fields::kRunIdFieldNumber, WireType::kBytes):
        rollout->run_id = received.Text(reader);
        break;
      case Tag(Fields::kWriterIdFieldNumber, WireType::kFixed64):
        rollout->writer_id = reader.Fixed64();
        break;
      case Tag(Fields::kSequenceFieldNumber, WireType::kVarint):
        rollout->sequence = reader.Varint();
        break;
      case Tag(Fields::kVersionFieldNumber, WireType::kVarint):
        rollout->version = static_cast<int64_t>(reader.Varint());
        break;
      case Tag(Fields::kActorFieldNumber, WireType::kVarint):
        rollout->actor = static_cast<int32_t>(reader.Varint());
        break;
      case Tag(Fields::kSegmentsFieldNumber, WireType::kBytes):
        good = rollout->segments.emplace_back().ParseFromString(reader.String());
        break;
      case Tag(Fields::kColumnsFieldNumber, WireType::kBytes):
        reader.Bytes(&rollout->columns.emplace_back());
        break;
      case Tag(Fields::kEpisodesFieldNumber, WireType::kBytes):
        good = rollout->episodes.emplace_back().ParseFromString(reader.String());
        break;
      case Tag(Fields::kPrioritiesFieldNumber, WireType::kBytes):
      case Tag(Fields::kPrioritiesFieldNumber, WireType::kFixed32):
        reader.Bytes(&priorities);
        break;
    }
  }
  return good && reader.ok() && DecodePriorities(priorities, &rollout->priorities);
}

}  // namespace

grpc::ByteBuffer EncodeRollout(std::shared_ptr<const v1::AppendRequest> request) {
  const v1::Rollout& rollout = request->rollout();
  WireWriter writer(request);
  writer.String(Fields::kRunIdFieldNumber, rollout.run_id());
  writer.Fixed64(Fields::kWriterIdFieldNumber, rollout.writer_id());
  writer.Varint(Fields::kSequenceFieldNumber, rollout.sequence());
  writer.Varint(Fields::kVersionFieldNumber, static_cast<uint64_t>(rollout.version()));
  writer.Varint(Fields::kActorFieldNumber, static_cast<uint64_t>(rollout.actor()));
  for (const v1::Segment& segment : rollout.segments())
    writer.Message(Fields::kSegmentsFieldNumber, segment);
  for (const std::string& column : rollout.columns())
    writer.Block(Fields::kColumnsFieldNumber, BytesOf(column));
  for (const v1::Episode& episode : rollout.episodes())
    writer.Message(Fields::kEpisodesFieldNumber, episode);
  writer.Packed<float>(Fields::kPrioritiesFieldNumber, rollout.priorities());
  return writer.FinishAsField(v1::AppendRequest::kRolloutFieldNumber);
}

absl::StatusOr<AppendMessage> DecodeAppend(grpc::ByteBuffer message) {
  auto received = std::make_shared<ReceivedMessage>(message);
  v1::AppendOpen open;
  RolloutView rollout;
  uint32_t which = 0;
  bool good = true;
  WireReader reader = received->Read();
  while (good && reader.Next()) {
    switch (reader.tag()) {
      case Tag(v1::AppendRequest::kOpenFieldNumber, WireType::kBytes):
        which = v1::AppendRequest::kOpenFieldNumber;
        good = open.MergeFromString(reader.String());
        break;
      case Tag(v1::AppendRequest::kRolloutFieldNumber, WireType::kBytes):
        which = v1::AppendRequest::kRolloutFieldNumber;
        good = DecodeRollout(reader.Message(), *received, &rollout);
        break;
    }
  }
  if (!good || !reader.ok() || which == 0)
    return absl::InvalidArgumentError(
        absl::StrCat(message.Length(), " bytes that are not a cadre.v1.AppendRequest"));
  if (which == v1::AppendRequest::kOpenFieldNumber) return open;
  rollout.owner = std::move(received);
  return rollout;
}

}  // namespace cadre
