#include <utility>

#include "absl/strings/str_cat.h"
#include "common/experience/experience_spec.h"
#include "common/status_macros.h"
#include "rpc/wire/received_message.h"
#include "rpc/wire/replay_codec.h"
#include "rpc/wire/wire_writer.h"

namespace cadre {
namespace {

using Fields = v1::SampleBatch;

int64_t Size(const PiecewiseBytes& pieces) {
  size_t bytes = 0;
  for (const absl::Span<const std::byte> piece : pieces) bytes += piece.size();
  return static_cast<int64_t>(bytes);
}

bool DecodeBatch(WireReader reader, BatchOnWire* batch) {
  bool good = true;
  while (good && reader.Next()) {
    switch (reader.tag()) {
      case Tag(Fields::kKeysFieldNumber, WireType::kBytes):
      case Tag(Fields::kKeysFieldNumber, WireType::kFixed64):
        reader.Bytes(&batch->keys);
        break;
      case Tag(Fields::kProbabilitiesFieldNumber, WireType::kBytes):
      case Tag(Fields::kProbabilitiesFieldNumber, WireType::kFixed32):
        reader.Bytes(&batch->probabilities);
        break;
      case Tag(Fields::kWeightsFieldNumber, WireType::kBytes):
      case Tag(Fields::kWeightsFieldNumber, WireType::kFixed32):
        reader.Bytes(&batch->weights);
        break;
      case Tag(Fields::kAgesFieldNumber, WireType::kBytes):
      case Tag(Fields::kAgesFieldNumber, WireType::kFixed64):
        reader.Bytes(&batch->ages);
        break;
      case Tag(Fields::kColumnsFieldNumber, WireType::kBytes):
        reader.Bytes(&batch->columns.emplace_back());
        break;
      case Tag(Fields::kTableItemsFieldNumber, WireType::kVarint):
        batch->table_items = static_cast<int64_t>(reader.Varint());
        break;
      case Tag(Fields::kTableMassFieldNumber, WireType::kFixed64):
        batch->table_mass = reader.Double();
        break;
      case Tag(Fields::kInsertedStepsFieldNumber, WireType::kVarint):
        batch->inserted_steps = static_cast<int64_t>(reader.Varint());
        break;
      case Tag(Fields::kEpisodesFieldNumber, WireType::kBytes):
        good = batch->episodes.emplace_back().ParseFromString(reader.String());
        break;
    }
  }
  return good && reader.ok();
}

absl::Status CheckSize(absl::string_view field, const PiecewiseBytes& pieces, int64_t items,
                       int64_t item_bytes) {
  if (Size(pieces) == items * item_bytes) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("SampleBatch: ", field, " has ", Size(pieces),
                                                 " bytes; wanted ", items * item_bytes, " for ",
                                                 items, " items"));
}

absl::Status SetItems(BatchOnWire* batch) {
  batch->items = Size(batch->keys) / static_cast<int64_t>(sizeof(uint64_t));
  CADRE_RETURN_IF_ERROR(CheckSize("keys", batch->keys, batch->items, sizeof(uint64_t)));
  CADRE_RETURN_IF_ERROR(
      CheckSize("probabilities", batch->probabilities, batch->items, sizeof(float)));
  CADRE_RETURN_IF_ERROR(CheckSize("weights", batch->weights, batch->items, sizeof(float)));
  return CheckSize("ages", batch->ages, batch->items, sizeof(int64_t));
}

absl::Status CheckColumns(const BatchOnWire& batch, absl::Span<const v1::ColumnSpec> columns) {
  if (batch.columns.size() != columns.size())
    return absl::InvalidArgumentError(absl::StrCat("SampleBatch has ", batch.columns.size(),
                                                   " columns; wanted ", columns.size()));
  for (size_t i = 0; i < columns.size(); ++i)
    CADRE_RETURN_IF_ERROR(CheckSize(absl::StrCat("column '", columns[i].name(), "'"),
                                    batch.columns[i], batch.items, RowBytes(columns[i])));
  return absl::OkStatus();
}

void Copy(const PiecewiseBytes& from, void* block, int64_t offset) {
  CopyBytes(from, 0, Size(from), static_cast<std::byte*>(block) + offset);
}

// The part's items become those from `first` on.
void CopyPart(const BatchOnWire& part, absl::Span<const v1::ColumnSpec> columns, int64_t first,
              BatchInMaking* made) {
  Copy(part.keys, made->keys, first * static_cast<int64_t>(sizeof(uint64_t)));
  Copy(part.probabilities, made->probabilities, first * static_cast<int64_t>(sizeof(float)));
  Copy(part.weights, made->weights, first * static_cast<int64_t>(sizeof(float)));
  Copy(part.ages, made->ages, first * static_cast<int64_t>(sizeof(int64_t)));
  for (size_t i = 0; i < columns.size(); ++i)
    Copy(part.columns[i], made->columns[i], first * RowBytes(columns[i]));
  made->batch.table_items += part.table_items;
  made->batch.table_mass += part.table_mass;
  made->batch.inserted_steps += part.inserted_steps;
  made->batch.episodes.insert(made->batch.episodes.end(), part.episodes.begin(),
                              part.episodes.end());
}

}  // namespace

grpc::ByteBuffer EncodeBatch(const ReplayBatch& batch, absl::Span<const PiecewiseBytes> rows) {
  WireWriter writer(batch.owner);
  writer.Packed(Fields::kKeysFieldNumber, batch.keys);
  writer.Packed(Fields::kProbabilitiesFieldNumber, batch.probabilities);
  writer.Packed(Fields::kWeightsFieldNumber, batch.weights);
  writer.Packed(Fields::kAgesFieldNumber, batch.ages);
  for (size_t i = 0; i < batch.columns.size(); ++i) {
    if (i < rows.size() && !rows[i].empty())
      writer.Pieces(Fields::kColumnsFieldNumber, rows[i]);
    else
      writer.Block(Fields::kColumnsFieldNumber, batch.columns[i].bytes);
  }
  writer.Varint(Fields::kTableItemsFieldNumber, static_cast<uint64_t>(batch.table_items));
  writer.Double(Fields::kTableMassFieldNumber, batch.table_mass);
  writer.Varint(Fields::kInsertedStepsFieldNumber, static_cast<uint64_t>(batch.inserted_steps));
  for (const v1::Episode& episode : batch.episodes)
    writer.Message(Fields::kEpisodesFieldNumber, episode);
  return writer.FinishAsField(v1::SampleResponse::kBatchFieldNumber);
}

absl::StatusOr<SampleMessage> DecodeSample(grpc::ByteBuffer message) {
  auto received = std::make_shared<ReceivedMessage>(message);
  v1::SampleOpened opened;
  BatchOnWire batch;
  uint32_t which = 0;
  bool good = true;
  WireReader reader = received->Read();
  while (good && reader.Next()) {
    switch (reader.tag()) {
      case Tag(v1::SampleResponse::kOpenedFieldNumber, WireType::kBytes):
        which = v1::SampleResponse::kOpenedFieldNumber;
        good = opened.MergeFromString(reader.String());
        break;
      case Tag(v1::SampleResponse::kBatchFieldNumber, WireType::kBytes):
        which = v1::SampleResponse::kBatchFieldNumber;
        good = DecodeBatch(reader.Message(), &batch);
        break;
    }
  }
  if (!good || !reader.ok() || which == 0)
    return absl::InvalidArgumentError(
        absl::StrCat(message.Length(), " bytes that are not a cadre.v1.SampleResponse"));
  if (which == v1::SampleResponse::kOpenedFieldNumber) return opened;
  CADRE_RETURN_IF_ERROR(SetItems(&batch));
  batch.owner = std::move(received);
  return batch;
}

absl::StatusOr<BatchInMaking> Assemble(absl::Span<const BatchOnWire> parts,
                                       absl::Span<const v1::ColumnSpec> columns,
                                       BatchMemoryPool& pool) {
  int64_t items = 0;
  for (const BatchOnWire& part : parts) {
    CADRE_RETURN_IF_ERROR(CheckColumns(part, columns));
    items += part.items;
  }
  BatchInMaking made = AllocateBatch(pool, columns, items);
  int64_t first = 0;
  for (const BatchOnWire& part : parts) {
    CopyPart(part, columns, first, &made);
    first += part.items;
  }
  return made;
}

}  // namespace cadre
