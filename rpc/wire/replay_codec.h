// Rollouts and batches to and from the wire without protobuf's copies: the messages are
// those of proto/experience.proto, bit for bit, but their payload stays where it is.
// What is written refers to the sender's memory; what is read is looked at in the
// slices it came in. Pure functions.
#pragma once

#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/experience/batch_memory.h"
#include "common/experience/replay_batch.h"
#include "common/experience/rollout_view.h"
#include "grpcpp/support/byte_buffer.h"
#include "proto/experience.pb.h"

namespace cadre {

// An AppendRequest with `rollout`; its columns are referred to, and it is kept alive,
// until gRPC has sent them.
grpc::ByteBuffer EncodeRollout(std::shared_ptr<const v1::AppendRequest> request);

// Either way round what came is kept alive by the result. INVALID_ARGUMENT where the
// bytes are not an AppendRequest.
using AppendMessage = std::variant<v1::AppendOpen, RolloutView>;
absl::StatusOr<AppendMessage> DecodeAppend(grpc::ByteBuffer message);

// A SampleResponse with `batch`, whose blocks are referred to and kept alive. By position in
// batch.columns, `rows` has what a column consists of that is not one block, kept alive by
// batch.owner too; none at all: there is none.
grpc::ByteBuffer EncodeBatch(const ReplayBatch& batch, absl::Span<const PiecewiseBytes> rows = {});

// A SampleBatch in the slices that it came in.
struct BatchOnWire {
  int64_t items = 0;
  PiecewiseBytes keys, probabilities, weights, ages;
  std::vector<PiecewiseBytes> columns;
  int64_t table_items = 0;
  double table_mass = 0;
  int64_t inserted_steps = 0;
  std::vector<v1::Episode> episodes;
  std::shared_ptr<const void> owner;
};

// INVALID_ARGUMENT where the bytes are not a SampleResponse with `opened` or `batch`, or the
// batch's fields disagree about its size.
using SampleMessage = std::variant<v1::SampleOpened, BatchOnWire>;
absl::StatusOr<SampleMessage> DecodeSample(grpc::ByteBuffer message);

// The parts one after the other as one batch; the only copy on this side. `columns` as in
// SampleOpened. Table fields are sums; weights and probabilities are copied as they are.
// INVALID_ARGUMENT where a column's bytes do not fit.
absl::StatusOr<BatchInMaking> Assemble(absl::Span<const BatchOnWire> parts,
                                       absl::Span<const v1::ColumnSpec> columns,
                                       BatchMemoryPool& pool);

}  // namespace cadre
