#include "cli/embedded_experience.h"

#include <utility>

#include "cli/turns.h"
#include "common/replay_config.h"
#include "common/status_macros.h"
#include "replay_server/local_ports.h"
#include "replay_server/queue.h"
#include "replay_server/table.h"
#include "replay_server/table_ports.h"

namespace cadre {
namespace {

constexpr char kRunId[] = "embedded";

uint64_t WriterId(int32_t actor) { return static_cast<uint64_t>(actor) + 1; }

class QueueExperience final : public EmbeddedExperience {
 public:
  QueueExperience(const ExperimentConfig& config, v1::ExperienceSpec spec)
      : spec_(std::move(spec)),
        queue_({.name = "on_policy",
                .run_id = kRunId,
                .capacity_steps = config.queue().capacity_steps(),
                .capacity_bytes = config.queue().capacity_bytes(),
                .max_version_lag = config.queue().max_version_lag()}) {}

  absl::Status Open() {
    CADRE_ASSIGN_OR_RETURN(source_, QueueSource::Create(&queue_, kRunId, spec_));
    return absl::OkStatus();
  }
  absl::StatusOr<std::unique_ptr<ExperienceSink>> MakeSink(int32_t index) override {
    return QueueSink::Create(&queue_, kRunId, spec_, WriterId(index));
  }
  ExperiencePorts ports() override { return {.queue = source_.get()}; }
  void Close() override { queue_.Close(); }

 private:
  const v1::ExperienceSpec spec_;
  Queue queue_;
  std::unique_ptr<QueueSource> source_;
};

// Appends in an actor's turn, so that the table's rows stand in the same order every time.
class SinkInTurn final : public ExperienceSink {
 public:
  SinkInTurn(std::unique_ptr<ExperienceSink> sink, Turns* turns, int32_t index)
      : sink_(std::move(sink)), turns_(turns), index_(index) {}

  absl::Status Append(v1::Rollout rollout) override {
    if (!turns_->Wait(index_)) return absl::CancelledError("the actors were stopped");
    const absl::Status status = sink_->Append(std::move(rollout));
    turns_->Done();
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
  TableExperience(const ExperimentConfig& config, v1::ExperienceSpec spec, int64_t steps_before)
      : spec_(std::move(spec)),
        steps_before_(steps_before),
        lockstep_(config.actors().mode() == ActorsConfig::LOCKSTEP),
        turns_(config.actors().count()) {}

  absl::Status Open(const ExperimentConfig& config) {
    TableOptions options;
    options.config = ReplayTable(config);
    options.run_id = kRunId;
    options.seed = config.seed();
    CADRE_ASSIGN_OR_RETURN(table_, Table::Create(std::move(options)));
    CADRE_ASSIGN_OR_RETURN(source_, TableSource::Create(table_.get(), kRunId, spec_));
    return absl::OkStatus();
  }
  absl::StatusOr<std::unique_ptr<ExperienceSink>> MakeSink(int32_t index) override {
    CADRE_ASSIGN_OR_RETURN(std::unique_ptr<ExperienceSink> sink,
                           TableSink::Create(table_.get(), kRunId, spec_, WriterId(index)));
    if (!lockstep_) return sink;
    return std::make_unique<SinkInTurn>(std::move(sink), &turns_, index);
  }
  ExperiencePorts ports() override {
    return {.replay = source_.get(), .steps_before_replay = steps_before_};
  }
  void Close() override {
    turns_.End();
    table_->Close();
  }

 private:
  const v1::ExperienceSpec spec_;
  const int64_t steps_before_;
  const bool lockstep_;
  Turns turns_;
  std::unique_ptr<Table> table_;
  std::unique_ptr<TableSource> source_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<EmbeddedExperience>> MakeEmbeddedExperience(
    const ExperimentConfig& config, const v1::ExperienceSpec& spec, int64_t steps_before) {
  if (UsesReplay(config)) {
    auto table = std::make_unique<TableExperience>(config, spec, steps_before);
    CADRE_RETURN_IF_ERROR(table->Open(config));
    return table;
  }
  auto queue = std::make_unique<QueueExperience>(config, spec);
  CADRE_RETURN_IF_ERROR(queue->Open());
  return queue;
}

}  // namespace cadre
