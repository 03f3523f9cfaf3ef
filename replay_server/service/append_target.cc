#include "replay_server/service/append_target.h"

#include <utility>
#include <variant>

#include "common/status_macros.h"
#include "replay_server/storage/queue.h"
#include "replay_server/storage/table.h"
#include "rpc/wire/message_bytes.h"
#include "rpc/wire/replay_codec.h"

namespace cadre {
namespace {

absl::Status NoRolloutError() {
  return absl::InvalidArgumentError("got a request without `rollout` after the first");
}

class QueueTarget final : public AppendTarget {
 public:
  explicit QueueTarget(Queue* queue) : queue_(queue) {}

  bool opens_at_once() const override { return true; }

  absl::StatusOr<uint64_t> Open(const v1::AppendOpen& open, SettledListener listener) override {
    CADRE_ASSIGN_OR_RETURN(
        const Queue::WriterStream stream,
        queue_->OpenWriter(open.run_id(), open.writer_id(), open.spec(), std::move(listener)));
    stream_ = stream.id;
    return stream.settled_sequence;
  }

  absl::Status Append(const grpc::ByteBuffer& message, AppendDone done) override {
    v1::AppendRequest request;
    CADRE_RETURN_IF_ERROR(ParseMessage(message, &request));
    if (!request.has_rollout()) return NoRolloutError();
    const uint64_t sequence = request.rollout().sequence();
    queue_->Append(stream_, std::move(*request.mutable_rollout()),
                   [done = std::move(done), sequence](absl::Status status) mutable {
                     done(sequence, std::move(status));
                   });
    return absl::OkStatus();
  }

  void Close() override { queue_->CloseWriter(stream_); }

 private:
  Queue* const queue_;
  uint64_t stream_ = 0;  // Constant once open.
};

class TableTarget final : public AppendTarget {
 public:
  explicit TableTarget(Table* table) : table_(table) {}

  bool opens_at_once() const override { return table_->allocated(); }

  absl::StatusOr<uint64_t> Open(const v1::AppendOpen& open, SettledListener listener) override {
    CADRE_ASSIGN_OR_RETURN(const Table::WriterStream stream,
                           table_->OpenWriter(open.run_id(), open.writer_id(), open.spec(),
                                              open.first_sequence(), std::move(listener)));
    stream_ = stream.id;
    return stream.settled_sequence;
  }

  absl::Status Append(const grpc::ByteBuffer& message, AppendDone done) override {
    CADRE_ASSIGN_OR_RETURN(AppendMessage decoded, DecodeAppend(message));
    auto* const rollout = std::get_if<RolloutView>(&decoded);
    if (rollout == nullptr) return NoRolloutError();
    const uint64_t sequence = rollout->sequence;
    table_->Append(stream_, std::move(*rollout),
                   [done = std::move(done), sequence](absl::Status status) mutable {
                     done(sequence, std::move(status));
                   });
    return absl::OkStatus();
  }

  void Close() override { table_->CloseWriter(stream_); }

 private:
  Table* const table_;
  uint64_t stream_ = 0;  // Constant once open.
};

struct MakeTarget {
  std::unique_ptr<AppendTarget> operator()(Queue* queue) const {
    return std::make_unique<QueueTarget>(queue);
  }
  std::unique_ptr<AppendTarget> operator()(Table* table) const {
    return std::make_unique<TableTarget>(table);
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<AppendTarget>> FindAppendTarget(const ExperienceDirectory& directory,
                                                               absl::string_view name) {
  CADRE_ASSIGN_OR_RETURN(const auto target, directory.FindEither(name));
  return std::visit(MakeTarget{}, target);
}

}  // namespace cadre
