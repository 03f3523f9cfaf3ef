#include "replay_server/service/experience_service.h"

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "replay_server/service/append_reactor.h"
#include "replay_server/service/consume_reactor.h"
#include "replay_server/service/sample_reactor.h"
#include "rpc/status.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpcStatus(status));
  return reactor;
}

// Gathering is bound by memory, and of tables on disk by waiting: a few more than cores do no
// harm.
int GathererThreads() {
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 4, 16);
}

}  // namespace

ExperienceService::ExperienceService(std::vector<Queue*> queues, std::vector<Table*> tables,
                                     TableCheckpointer* checkpointer)
    : directory_(std::move(queues), std::move(tables)),
      checkpointer_(checkpointer),
      gatherers_("sample", GathererThreads()),
      openers_("open", 1) {}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* ExperienceService::Append(
    grpc::CallbackServerContext* /*context*/) {
  return std::make_shared<AppendReactor>(&directory_, &log_, &openers_)->Start(&streams_);
}

grpc::ServerBidiReactor<v1::ConsumeRequest, v1::ConsumeResponse>* ExperienceService::Consume(
    grpc::CallbackServerContext* /*context*/) {
  return std::make_shared<ConsumeReactor>(&directory_, &log_)->Start(&streams_);
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* ExperienceService::Sample(
    grpc::CallbackServerContext* context) {
  return std::make_shared<SampleReactor>(&directory_, &log_, &gatherers_, &openers_, context)
      ->Start(&streams_);
}

grpc::ServerUnaryReactor* ExperienceService::Info(grpc::CallbackServerContext* context,
                                                  const v1::InfoRequest* /*request*/,
                                                  v1::InfoResponse* response) {
  for (const Queue* queue : directory_.queues()) *response->add_queues() = queue->Info();
  for (const Table* table : directory_.tables()) *response->add_tables() = table->Info();
  return Answer(context, absl::OkStatus());
}

// Answered on the checkpointer's thread.
grpc::ServerUnaryReactor* ExperienceService::Checkpoint(grpc::CallbackServerContext* context,
                                                        const v1::CheckpointRequest* /*request*/,
                                                        v1::CheckpointResponse* response) {
  if (checkpointer_ == nullptr)
    return Answer(context, absl::FailedPreconditionError(
                               "the replay server has no checkpoints: it has no tables, or was "
                               "started without --checkpoint_folder"));
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  checkpointer_->Request([reactor, response](const absl::StatusOr<SavedCheckpoint>& saved) {
    if (saved.ok()) {
      response->set_path(saved->path);
      response->set_bytes(saved->bytes);
    }
    reactor->Finish(absl::IsCancelled(saved.status()) ? OpenStreams::StoppingStatus()
                                                      : ToGrpcStatus(saved.status()));
  });
  return reactor;
}

// Answered when the table is empty: after its checkpoint, if that is being written.
grpc::ServerUnaryReactor* ExperienceService::Reset(grpc::CallbackServerContext* context,
                                                   const v1::ResetRequest* request,
                                                   v1::ResetResponse* /*response*/) {
  const absl::StatusOr<Table*> table = FindTableOfRun(*request);
  if (!table.ok()) return Answer(context, table.status());
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  (*table)->Reset([reactor, name = request->table()](const absl::Status& status) {
    if (status.ok()) spdlog::info("table '{}' was emptied on request", name);
    reactor->Finish(status.ok() ? grpc::Status::OK : OpenStreams::StoppingStatus());
  });
  return reactor;
}

absl::StatusOr<Table*> ExperienceService::FindTableOfRun(const v1::ResetRequest& request) const {
  CADRE_ASSIGN_OR_RETURN(Table* const table, directory_.FindTable(request.table()));
  const std::string run_id = table->Info().run_id();
  if (request.run_id() == run_id) return table;
  return absl::FailedPreconditionError(absl::StrCat("table '", request.table(), "': got run id '",
                                                    request.run_id(), "'; wanted '", run_id, "'"));
}

}  // namespace cadre
