#include "cli/embedded_experience.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/turns.h"
#include "common/config/replay_capacity.h"
#include "common/config/replay_config.h"
#include "common/config/run_topology.h"
#include "common/status_macros.h"
#include "replay_server/storage/local_ports.h"
#include "replay_server/storage/queue.h"
#include "replay_server/storage/queue_config.h"
#include "replay_server/storage/table.h"
#include "replay_server/storage/table_checkpoint.h"
#include "replay_server/storage/table_ports.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

constexpr char kRunId[] = "embedded";

uint64_t WriterId(int32_t actor) { return static_cast<uint64_t>(actor) + 1; }

// A queue for each learner.
class QueueExperience final : public EmbeddedExperience {
 public:
  QueueExperience(const ExperimentConfig& config, v1::ExperienceSpec spec)
      : config_(config), spec_(std::move(spec)) {}

  absl::Status Open() {
    for (int32_t learner = 0; learner < LearnerCount(config_); ++learner) {
      CADRE_ASSIGN_OR_RETURN(QueueOptions options, MakeQueueOptions(config_, kRunId, learner));
      queues_.push_back(std::make_unique<Queue>(std::move(options)));
      CADRE_ASSIGN_OR_RETURN(auto source, QueueSource::Create(queues_.back().get(), kRunId, spec_));
      sources_.push_back(std::move(source));
    }
    return absl::OkStatus();
  }
  absl::StatusOr<std::unique_ptr<ExperienceSink>> MakeSink(int32_t index) override {
    return QueueSink::Create(queues_[LearnerOf(config_, index)].get(), kRunId, spec_,
                             WriterId(index));
  }
  ExperiencePorts ports(int32_t learner) override { return {.queue = sources_[learner].get()}; }
  void Close() override {
    for (const auto& queue : queues_) queue->Close();
  }

 private:
  const ExperimentConfig config_;
  const v1::ExperienceSpec spec_;
  std::vector<std::unique_ptr<Queue>> queues_;
  std::vector<std::unique_ptr<QueueSource>> sources_;
};

// Appends in an actor's turn, so that the table's rows stand in the same order every time.
class SinkInTurn final : public ExperienceSink {
 public:
  SinkInTurn(std::unique_ptr<ExperienceSink> sink, Turns* turns, int32_t index)
      : sink_(std::move(sink)), turns_(turns), index_(index) {}

  absl::Status Append(v1::Rollout rollout) override {
    if (!turns_->Wait(index_)) return absl::CancelledError("the actors were stopped");
    const absl::Status status = sink_->Append(std::move(rollout));
    // After a refusal it is still this actor's turn: it makes another rollout.
    if (!absl::IsInvalidArgument(status)) turns_->Done();
    return status;
  }
  void Close() override {
    turns_->End();
    sink_->Close();
  }

 private:
  const std::unique_ptr<ExperienceSink> sink_;
  Turns* const turns_;
  const int32_t index_;
};

class TableExperience final : public EmbeddedExperience {
 public:
  TableExperience(const ExperimentConfig& config, v1::ExperienceSpec spec, std::string run_folder)
      : spec_(std::move(spec)),
        run_folder_(std::move(run_folder)),
        lockstep_(config.actors().mode() == ActorsConfig::LOCKSTEP),
        turns_(config.actors().count()) {}

  absl::Status Open(const ExperimentConfig& config, const ResumedCheckpoint& from) {
    TableOptions options;
    options.config = ReplayTable(config);
    options.writers = TableWritersOf(config);
    options.run_id = kRunId;
    options.seed = config.seed();
    CADRE_ASSIGN_OR_RETURN(table_, Table::Create(std::move(options)));
    CADRE_RETURN_IF_ERROR(Restore(from));
    inserted_before_ = table_->Info().inserted_steps();
    for (int32_t learner = 0; learner < LearnerCount(config); ++learner) {
      CADRE_ASSIGN_OR_RETURN(auto source, TableSource::Create(table_.get(), kRunId, spec_));
      sources_.push_back(std::move(source));
    }
    return absl::OkStatus();
  }
  absl::StatusOr<std::unique_ptr<ExperienceSink>> MakeSink(int32_t index) override {
    CADRE_ASSIGN_OR_RETURN(std::unique_ptr<ExperienceSink> sink,
                           TableSink::Create(table_.get(), kRunId, spec_, NewWriter(index)));
    if (!lockstep_) return sink;
    return std::make_unique<SinkInTurn>(std::move(sink), &turns_, index);
  }
  ExperiencePorts ports(int32_t learner) override { return {.replay = sources_[learner].get()}; }
  void Close() override {
    turns_.End();
    table_->Close();
  }
  absl::StatusOr<std::string> Save() override {
    CADRE_ASSIGN_OR_RETURN(
        const SavedCheckpoint saved,
        SaveTables(absl::StrCat(run_folder_, "/replay-embedded"), {Checkpointed(*table_)},
                   /*keep=*/1));
    return saved.path.substr(run_folder_.size() + 1);
  }

 private:
  absl::Status Restore(const ResumedCheckpoint& from) {
    if (from.env_steps == 0) return absl::OkStatus();
    absl::Status restored = absl::NotFoundError(
        absl::StrCat("no replay table belongs to the checkpoint at ", from.env_steps, " steps"));
    if (!from.replay_checkpoint.empty())
      restored = RestoreTablesFrom(absl::StrCat(run_folder_, "/", from.replay_checkpoint),
                                   {Checkpointed(*table_)});
    if (restored.ok()) return absl::OkStatus();
    // Of another config, or damaged before a byte of it was used: it fills anew.
    if (table_->Info().inserted_steps() > 0 || table_->Info().rows() > 0) return restored;
    spdlog::warn("beginning with an empty table, which warms up again: {}",
                 std::string(restored.message()));
    return absl::OkStatus();
  }
  // The actors begin new episodes: these do not go on where those of an earlier life ended.
  uint64_t NewWriter(int32_t actor) const {
    return static_cast<uint64_t>(inserted_before_) << 20 | WriterId(actor);
  }

  const v1::ExperienceSpec spec_;
  const std::string run_folder_;
  int64_t inserted_before_ = 0;  // Steps in the table that was restored.
  const bool lockstep_;
  Turns turns_;
  std::unique_ptr<Table> table_;
  std::vector<std::unique_ptr<TableSource>> sources_;  // Of each learner.
};

}  // namespace

absl::StatusOr<std::unique_ptr<EmbeddedExperience>> MakeEmbeddedExperience(
    const ExperimentConfig& config, const v1::ExperienceSpec& spec, const std::string& run_folder,
    const ResumedCheckpoint& from) {
  if (UsesReplay(config)) {
    auto table = std::make_unique<TableExperience>(config, spec, run_folder);
    CADRE_RETURN_IF_ERROR(table->Open(config, from));
    return table;
  }
  auto queue = std::make_unique<QueueExperience>(config, spec);
  CADRE_RETURN_IF_ERROR(queue->Open());
  return queue;
}

}  // namespace cadre
