// Learning from a replay table. Asynchronously each batch is one update, and the table's
// rate limiter keeps actors and learner in step; in lockstep each of the actors' rounds
// is followed by the updates that are due for it, and the actors wait.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/config/config.h"
#include "common/config/replay_config.h"
#include "common/kernels/optimizer.h"
#include "common/status_macros.h"
#include "learner/algorithms/off_policy.h"
#include "learner/batches/importance_scale.h"
#include "learner/batches/replay_collate.h"
#include "learner/batches/staging_buffers.h"
#include "learner/loop/batch_learner.h"
#include "learner/loop/dropped_experience.h"
#include "learner/loop/part_times.h"
#include "learner/loop/replay_normalizer.h"
#include "learner/loop/usable_items.h"
#include "learner/parallel/update_agreement.h"
#include "learner/temperature_bound.h"
#include "policy/off_policy_columns.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

// A table of which so many batches are of no use has nothing else.
constexpr int64_t kMostUselessBatches = 100;

// In a checkpoint.
constexpr char kUpdatesDue[] = "replay.updates_due";
constexpr char kStepsBefore[] = "replay.steps_before";
constexpr char kTable[] = "replay.table ";  // And its address: inserted steps and offset.

class ReplayLearner final : public BatchLearner {
 public:
  ReplayLearner(const ExperimentConfig& config, const EnvironmentSpec& environment,
                std::unique_ptr<OffPolicyAlgorithm> algorithm, LearnTimes* times,
                torch::Device device)
      : config_(config),
        lockstep_(config.actors().mode() == ActorsConfig::LOCKSTEP),
        warm_size_(ReplayTable(config).rate_limiter().min_size()),
        spaces_(environment.observation, environment.action,
                LearnsSequences(config) ? ReplayWindow(config).length : 0,
                RecurrentStateSize(config), config.normalization().rewards()),
        spec_(OffPolicySpec(environment.observation, environment.action, RecurrentStateSize(config),
                            config.normalization().rewards())),
        normalizer_(config.normalization(), &spaces_),
        algorithm_(std::move(algorithm)),
        staging_(MakeStagingBuffers(device)),
        times_(times),
        part_times_(times),
        temperature_bound_(config) {
    algorithm_->set_listener(&part_times_);
  }

  void set_collective(Collective* collective) override {
    collective_ = collective;
    algorithm_->set_collective(collective);
  }

  const v1::ExperienceSpec& experience_spec() const override { return spec_; }

  // The table may hold steps of before this learner was started, a part of a round among
  // them; a round that begins early does no harm, one that never ends would.
  absl::StatusOr<RunPosition> Begin(const ExperiencePorts& ports,
                                    const RunPosition& position) override {
    steps_before_ += ports.replay->CountOn(tables_);
    tables_ = ports.replay->Counts();
    if (!lockstep_ && position.env_steps == 0) return position;
    CADRE_ASSIGN_OR_RETURN(const UpdateShare before,
                           Agree(ports.replay->Sample({}), /*stop=*/false));
    // More than it was where tables are fewer, or began empty; and of a checkpoint without counts.
    steps_before_ = std::max(steps_before_, position.env_steps - before.inserted_steps);
    if (!lockstep_) return position;
    round_begin_ = before.inserted_steps / StepsPerUpdate(config_) * StepsPerUpdate(config_);
    return position;
  }

  absl::StatusOr<Learned> Learn(const ExperiencePorts& ports, const RunPosition& position,
                                const std::atomic<bool>& stop) override {
    return lockstep_ ? LearnRound(ports, position, stop) : LearnOne(ports, position, stop);
  }

  absl::StatusOr<int64_t> Gather(const ExperiencePorts& ports,
                                 const RunPosition& position) override {
    tables_ = ports.replay->Counts();
    return position.env_steps;
  }

  // A batch that was sampled is never handed out again for good.
  absl::Status Settle(const ExperiencePorts& /*ports*/) override { return absl::OkStatus(); }
  bool settled() const override { return finite_ && !updating_; }

  DiagnosticNames diagnostic_names() const override;
  Diagnostics diagnostics() const override;
  int64_t dropped() const override { return dropped_.count(); }

  const ParameterLayout& layout() const override { return algorithm_->acting_layout(); }
  torch::Tensor parameters() override { return algorithm_->acting_parameters(); }
  void ParametersChanged() override { algorithm_->ActingParametersChanged(); }
  void AddStatistics(v1::Parameters& parameters) const override { normalizer_.AddTo(parameters); }
  absl::Status RestoreStatistics(const v1::Parameters& parameters) override {
    return normalizer_.Restore(parameters);
  }

  void Save(TensorMap& state) const override {
    algorithm_->Save(state);
    state.AddScalar<double>(kUpdatesDue, updates_due_);
    state.AddScalar<int64_t>(kStepsBefore, steps_before_);
    for (const TableCount& table : tables_)
      state.Add<int64_t>(absl::StrCat(kTable, table.table), {2},
                         {table.inserted_steps, table.offset});
  }
  absl::Status Restore(const TensorMap& state) override {
    CADRE_RETURN_IF_ERROR(algorithm_->Restore(state));
    // Checkpoints of before it was saved lack it: less than one update.
    if (const absl::StatusOr<double> due = state.ReadScalar<double>(kUpdatesDue); due.ok())
      updates_due_ = *due;
    if (const absl::StatusOr<int64_t> steps = state.ReadScalar<int64_t>(kStepsBefore); steps.ok())
      steps_before_ = *steps;
    return RestoreTables(state);
  }

 private:
  absl::StatusOr<Learned> LearnOne(const ExperiencePorts& ports, const RunPosition& position,
                                   const std::atomic<bool>& stop);
  absl::StatusOr<Learned> LearnRound(const ExperiencePorts& ports, const RunPosition& position,
                                     const std::atomic<bool>& stop);
  // Samples this learner's share of a batch and takes one gradient step. CANCELLED where any
  // of several learners was told to stop: then all of them.
  absl::Status Update(const ExperiencePorts& ports, const RunPosition& position,
                      const std::atomic<bool>& stop, Learned& learned);
  // A batch of items that can be learned from. FAILED_PRECONDITION where the table seems
  // to have none.
  absl::StatusOr<ReplayBatch> SampleUsable(ReplaySource& replay, const SampleOptions& options);
  // What this learner and the others were told with a batch, or that one of them stops.
  absl::StatusOr<UpdateShare> Agree(const absl::StatusOr<ReplayBatch>& sampled, bool stop,
                                    double largest_weight = 0);
  absl::Status RestoreTables(const TensorMap& state);
  absl::Status UpdatePriorities(ReplaySource& replay, const ReplayBatch& batch);
  absl::Status CheckFinite();
  double Progress(const RunPosition& position) const {
    return std::min(1.0, static_cast<double>(position.env_steps) /
                             static_cast<double>(config_.stop().env_steps()));
  }
  double Beta(double progress) const;

  const ExperimentConfig& config_;
  const bool lockstep_;
  const int64_t warm_size_;  // Items in the table before the first update.
  const ReplaySpaces spaces_;
  const v1::ExperienceSpec spec_;
  ReplayNormalizer normalizer_;
  const std::unique_ptr<OffPolicyAlgorithm> algorithm_;
  const std::unique_ptr<StagingBuffers> staging_;
  LearnTimes* const times_;
  PartTimes part_times_;
  Collective* collective_ = nullptr;
  std::vector<float> priorities_;  // [B], where the table is prioritised.
  std::vector<float> weights_;     // [B] of the current batch, if scaled by another learner's.
  std::vector<int64_t> unusable_;  // Items of the last batch in whose place others were.
  DroppedExperience dropped_;
  bool finite_ = true;
  bool updating_ = false;  // Or an update was left in the middle.
  bool updated_ = false;   // There was an update in this life.
  double mean_age_ = 0;    // In steps, over the last batch.
  // What diagnostics() shows is what it looks at: on a device they are waited for.
  mutable TemperatureBound temperature_bound_;
  int64_t unpublished_ = 0;  // Updates since the last publication.
  // Steps of the run that no table has counted: it began empty after them, or is not there any
  // more.
  int64_t steps_before_ = 0;
  std::vector<TableCount> tables_;  // When they were gathered last.
  // In lockstep.
  int64_t round_begin_ = 0;  // Steps inserted when the actors' round began.
  double updates_due_ = 0;   // The fraction of one that rounds have left.
};

// Actors get a version for each of their rounds, asynchronously.
int64_t UpdatesPerPublication(const ExperimentConfig& config) {
  const double updates =
      config.replay().updates_per_step() * static_cast<double>(StepsPerUpdate(config));
  return std::max<int64_t>(1, std::llround(updates));
}

absl::StatusOr<Learned> ReplayLearner::LearnOne(const ExperiencePorts& ports,
                                                const RunPosition& position,
                                                const std::atomic<bool>& stop) {
  Learned learned;
  CADRE_RETURN_IF_ERROR(Update(ports, position, stop, learned));
  learned.publish = ++unpublished_ >= UpdatesPerPublication(config_);
  if (learned.publish) {
    unpublished_ = 0;
    CADRE_RETURN_IF_ERROR(CheckFinite());
  }
  return learned;
}

absl::StatusOr<Learned> ReplayLearner::LearnRound(const ExperiencePorts& ports,
                                                  const RunPosition& position,
                                                  const std::atomic<bool>& stop) {
  times_->Enter(LearnStage::kWaitForExperience);
  SampleOptions news;
  news.min_inserted_steps = round_begin_ + StepsPerUpdate(config_);
  CADRE_ASSIGN_OR_RETURN(UpdateShare round, Agree(ports.replay->Sample(news), stop));
  Learned learned;
  learned.updates = 0;
  learned.env_steps = std::max(position.env_steps, steps_before_ + round.inserted_steps);
  learned.episodes = std::move(round.episodes);
  // Where the server lost steps of this round the actors make them again.
  const bool whole = round.inserted_steps >= news.min_inserted_steps;
  round_begin_ = whole ? news.min_inserted_steps : round.inserted_steps;
  if (!whole || round.table_items < warm_size_) return learned;
  updates_due_ +=
      config_.replay().updates_per_step() * static_cast<double>(StepsPerUpdate(config_));
  RunPosition now = position;
  now.env_steps = learned.env_steps;
  // Of several learners none stops before all do: Update says so.
  for (; updates_due_ >= 1 && (collective_ != nullptr || !stop); updates_due_ -= 1) {
    const absl::Status status = Update(ports, now, stop, learned);
    if (collective_ != nullptr && absl::IsCancelled(status)) break;
    CADRE_RETURN_IF_ERROR(status);
    ++learned.updates;
  }
  CADRE_RETURN_IF_ERROR(CheckFinite());
  return learned;
}

absl::StatusOr<UpdateShare> ReplayLearner::Agree(const absl::StatusOr<ReplayBatch>& sampled,
                                                 bool stop, double largest_weight) {
  UpdateShare mine;
  mine.go_on = sampled.ok() && (collective_ == nullptr || !stop);
  if (sampled.ok()) {
    mine.inserted_steps = sampled->inserted_steps;
    mine.table_items = sampled->table_items;
    mine.largest_weight = largest_weight;
    mine.episodes = sampled->episodes;
  } else if (collective_ == nullptr || !absl::IsCancelled(sampled.status())) {
    return sampled.status();
  }
  CADRE_ASSIGN_OR_RETURN(UpdateShare all, CombineShares(collective_, std::move(mine)));
  if (!all.go_on) return absl::CancelledError("a learner was told to stop");
  return all;
}

absl::StatusOr<ReplayBatch> ReplayLearner::SampleUsable(ReplaySource& replay,
                                                        const SampleOptions& options) {
  std::vector<v1::Episode> episodes;  // That came with batches of which nothing was left.
  for (int64_t batches = 0; batches < kMostUselessBatches; ++batches) {
    CADRE_ASSIGN_OR_RETURN(ReplayBatch sampled, replay.Sample(options));
    UsableItems items = KeepUsable(spaces_, std::move(sampled));
    unusable_ = std::move(items.unusable);
    dropped_.Count(static_cast<int64_t>(unusable_.size()), "an item", items.reason);
    episodes.insert(episodes.end(), items.batch.episodes.begin(), items.batch.episodes.end());
    if (items.batch.items == 0) continue;
    items.batch.episodes = std::move(episodes);
    return std::move(items.batch);
  }
  return absl::FailedPreconditionError(
      absl::StrCat(kMostUselessBatches, " batches in a row had no item that can be learned from"));
}

absl::Status ReplayLearner::Update(const ExperiencePorts& ports, const RunPosition& position,
                                   const std::atomic<bool>& stop, Learned& learned) {
  times_->Enter(LearnStage::kWaitForExperience);
  const double progress = Progress(position);
  SampleOptions options;
  options.items =
      config_.replay().batch_size() / (collective_ == nullptr ? 1 : collective_->size());
  options.importance_exponent = Beta(progress);
  if (lockstep_) options.min_inserted_steps = 1;  // No batch of an earlier round.
  absl::StatusOr<ReplayBatch> sampled = SampleUsable(*ports.replay, options);
  const double largest_weight =
      sampled.ok() ? LargestWeight(*sampled, options.importance_exponent) : 0;
  CADRE_ASSIGN_OR_RETURN(const UpdateShare all, Agree(sampled, stop, largest_weight));
  ReplayBatch& batch = *sampled;
  times_->Enter(LearnStage::kCollate);
  RescaleWeights(largest_weight, all.largest_weight, weights_, batch);
  CADRE_ASSIGN_OR_RETURN(OffPolicyBatch tensors, CollateReplay(spaces_, batch));
  if (config_.replay().has_prioritized()) priorities_.resize(batch.items);
  updating_ = true;
  CADRE_RETURN_IF_ERROR(normalizer_.Normalize(batch, all.table_items, collective_, tensors));
  CADRE_RETURN_IF_ERROR(
      algorithm_->Update(staging_->StageBatch(tensors), progress, absl::MakeSpan(priorities_)));
  updating_ = false;
  updated_ = true;
  times_->Enter(LearnStage::kPublish);
  if (!priorities_.empty()) CADRE_RETURN_IF_ERROR(UpdatePriorities(*ports.replay, batch));

  mean_age_ =
      static_cast<double>(std::accumulate(batch.ages.begin(), batch.ages.end(), int64_t{0})) /
      static_cast<double>(batch.items);
  learned.env_steps = std::max(position.env_steps, steps_before_ + all.inserted_steps);
  learned.episodes.insert(learned.episodes.end(), all.episodes.begin(), all.episodes.end());
  return absl::OkStatus();
}

absl::Status ReplayLearner::RestoreTables(const TensorMap& state) {
  tables_.clear();
  for (const NamedTensor& tensor : state.tensors()) {
    if (!absl::StartsWith(tensor.name, kTable)) continue;
    int64_t numbers[2];
    const absl::Status status = state.Read(tensor.name, absl::MakeSpan(numbers));
    if (!status.ok()) return absl::DataLossError(status.message());
    tables_.push_back(
        {std::string(absl::StripPrefix(tensor.name, kTable)), numbers[0], numbers[1]});
  }
  return absl::OkStatus();
}

absl::Status ReplayLearner::UpdatePriorities(ReplaySource& replay, const ReplayBatch& batch) {
  const auto epsilon = static_cast<float>(config_.replay().prioritized().epsilon());
  for (float& priority : priorities_) {
    priority += epsilon;
    finite_ = finite_ && std::isfinite(priority);
  }
  for (const int64_t item : unusable_) priorities_[item] = 0;  // Not to be drawn again.
  if (!finite_) return absl::DataLossError("temporal-difference errors that are not finite");
  return replay.UpdatePriorities(batch.keys, priorities_);
}

absl::Status ReplayLearner::CheckFinite() {
  const torch::Tensor flat = parameters();
  finite_ =
      finite_ &&
      std::isfinite(GradientNorm({flat.data_ptr<float>(), static_cast<size_t>(flat.numel())}));
  return finite_ ? absl::OkStatus() : absl::DataLossError("parameters that are not finite");
}

double ReplayLearner::Beta(double progress) const {
  if (!config_.replay().has_prioritized()) return 0;
  const PrioritizedReplayConfig& prioritized = config_.replay().prioritized();
  return prioritized.initial_beta() +
         progress * (prioritized.final_beta() - prioritized.initial_beta());
}

DiagnosticNames ReplayLearner::diagnostic_names() const {
  DiagnosticNames names = algorithm_->diagnostic_names();
  names.push_back("mean_age");
  return names;
}

Diagnostics ReplayLearner::diagnostics() const {
  if (!updated_) return UnderNames(diagnostic_names(), {});
  Diagnostics measured = algorithm_->diagnostics();
  measured.emplace_back("mean_age", mean_age_);
  const std::string warning = temperature_bound_.Warning(measured);
  if (!warning.empty()) spdlog::warn("{}", warning);
  return UnderNames(diagnostic_names(), measured);
}

}  // namespace

absl::StatusOr<std::unique_ptr<BatchLearner>> MakeReplayLearner(const ExperimentConfig& config,
                                                                const EnvironmentSpec& environment,
                                                                LearnTimes* times,
                                                                const DeviceOptions& device) {
  const Random random = Random::ForStream(config.seed(), kInitialParametersStream);
  CADRE_ASSIGN_OR_RETURN(
      auto algorithm,
      MakeOffPolicyAlgorithm(config, environment.observation, environment.action, random, device));
  return std::make_unique<ReplayLearner>(config, environment, std::move(algorithm), times,
                                         device.device);
}

}  // namespace cadre
