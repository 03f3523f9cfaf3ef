// Measures what a step costs on this machine, or takes it as told, and works out from that
// how fast the experiment runs and what saturates first.
#include "cli/plan.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "actor/step_recorder.h"
#include "cli/plan_model.h"
#include "cli/plan_text.h"
#include "cli/recorded_acting.h"
#include "cli/rehearsal.h"
#include "common/config/config.h"
#include "common/config/replay_config.h"
#include "common/config/run_topology.h"
#include "common/experience/experience_spec.h"
#include "common/status_macros.h"
#include "envs/experiment.h"
#include "learner/loop/batch_learner.h"
#include "replay_server/storage/row_storage.h"
#include "replay_server/storage/table_capacity.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

// What a server moves on one core, in rows too large for anything else to count:
// bench's replay_stream_bench and fan_out_bench.
constexpr double kServerBytesPerSecond = 1.9e9;
constexpr double kFanOutBytesPerSecond = 2.9e9;
constexpr double kNetworkGbps = 10;       // Of a cluster, where nothing is said.
constexpr double kSampledItemBytes = 24;  // Discount, key, weight and age.

absl::Status CheckOptions(const PlanOptions& options) {
  const std::pair<const char*, std::optional<double>> numbers[] = {
      {"--cores", options.cores},
      {"--network_gbps", options.network_gbps},
      {"--env_seconds", options.env_seconds},
      {"--inference_seconds", options.inference_seconds},
      {"--update_seconds", options.update_seconds},
      {"--observation_bytes", options.observation_bytes},
      {"--parameters", options.parameters}};
  for (const auto& [name, value] : numbers)
    if (value.has_value() && !(std::isfinite(*value) && *value > 0))
      return absl::InvalidArgumentError(
          absl::StrCat(name, ": got ", *value, "; wanted a number above 0"));
  if (options.cores.has_value() && *options.cores < 1)
    return absl::InvalidArgumentError(
        absl::StrCat("--cores: got ", *options.cores, "; wanted 1 or more"));
  if (options.network_gbps.has_value() && !options.cluster)
    return absl::InvalidArgumentError(
        "--network_gbps: given; wanted only with --cluster, as on one machine nothing crosses it");
  return absl::OkStatus();
}

// The first version, as a learner would publish it half way through the run.
absl::StatusOr<ParametersPtr> FirstParameters(const Experiment& experiment) {
  const ExperimentConfig& config = experiment.config;
  LearnTimes times;
  CADRE_ASSIGN_OR_RETURN(const auto learner,
                         MakeBatchLearner(config, experiment.environment, &times));
  auto parameters = std::make_shared<v1::Parameters>();
  const torch::Tensor flat = learner->parameters();
  parameters->set_model(ActingModelName(config, 0));
  parameters->set_version(1);
  parameters->set_values(flat.data_ptr<float>(), flat.numel() * sizeof(float));
  parameters->set_layout_fingerprint(learner->layout().fingerprint());
  parameters->set_env_steps(
      std::max(config.stop().env_steps() / 2, config.replay().warmup_steps()));
  learner->AddStatistics(*parameters);
  return parameters;
}

class Planning {
 public:
  Planning(const PlanOptions& options, const Experiment& experiment)
      : options_(options), config_(experiment.config), environment_(experiment.environment) {}

  absl::Status MeasureCosts(ShutdownSignal& shutdown);
  absl::Status DescribeShape();
  absl::StatusOr<PlanReport> Report();

 private:
  void TakeWhatIsGiven(const RecordedActing& acting);
  void AddEvaluations();
  // The columns, with observations as large as is said.
  v1::ExperienceSpec Spec() const;
  double LargerBy() const;       // Bytes of an observation, than those that were measured.
  double SampledItems() const {  // For each environment step.
    return config_.replay().updates_per_step() * config_.replay().batch_size();
  }
  void Note(const std::string& note) { report_.notes.push_back(note); }

  const PlanOptions& options_;
  const ExperimentConfig& config_;
  const EnvironmentSpec& environment_;
  ParametersPtr parameters_;
  PlanReport report_;
};

absl::Status Planning::MeasureCosts(ShutdownSignal& shutdown) {
  CADRE_ASSIGN_OR_RETURN(parameters_,
                         FirstParameters({.config = config_, .environment = environment_}));
  CADRE_ASSIGN_OR_RETURN(const RecordedActing acting, RecordActing(config_, parameters_, shutdown));
  const bool processes = options_.cluster || options_.mode == "processes";
  CADRE_ASSIGN_OR_RETURN(
      const RehearsedCosts rehearsed,
      Rehearse(RehearsalConfig(config_), environment_, acting.rollouts, processes, shutdown));
  PlanCosts& costs = report_.costs;
  costs.learning = rehearsed.learning;
  costs.hand_over = rehearsed.hand_over;
  costs.transfer = rehearsed.transfer;
  costs.replay_server = rehearsed.replay_server;
  costs.parameter_server = rehearsed.parameter_server;
  TakeWhatIsGiven(acting);
  AddEvaluations();
  return absl::OkStatus();
}

void Planning::TakeWhatIsGiven(const RecordedActing& acting) {
  PlanCosts& costs = report_.costs;
  RecordedActing told = acting;
  if (options_.env_seconds.has_value()) {
    told.environment_seconds = *options_.env_seconds;
    told.waiting_seconds = 0;
    Note("the environment's time is as given");
  }
  if (options_.inference_seconds.has_value()) {
    told.inference_seconds = *options_.inference_seconds;
    Note("the time of inference is as given");
  }
  costs.acting = told.seconds();
  costs.acting_cpu = told.cpu_seconds();
  if (options_.update_seconds.has_value()) {
    const double updates_per_step = UsesReplay(config_)
                                        ? config_.replay().updates_per_step()
                                        : 1 / static_cast<double>(StepsPerUpdate(config_));
    const double learning = *options_.update_seconds * updates_per_step;
    // Batches of a table are fetched ahead, while the learner learns.
    if (UsesReplay(config_) && config_.actors().mode() == ActorsConfig::ASYNCHRONOUS)
      costs.hand_over = std::max(0.0, costs.learning + costs.hand_over - learning);
    costs.learning = learning;
    Note("an update's time is as given");
  }
  if (options_.observation_bytes.has_value()) {
    // In to the server, and out of it again.
    const double out = UsesReplay(config_) ? 2 * SampledItems() : 1;
    const double seconds = std::max(0.0, LargerBy()) * (1 + out) / kServerBytesPerSecond;
    costs.replay_server += seconds;
    costs.transfer += seconds;
    Note(absl::StrFormat("observations are of %.0f bytes, as given; a server moves %.2g GB/s",
                         *options_.observation_bytes, kServerBytesPerSecond * 1e-9));
  }
  if (options_.parameters.has_value()) {
    const double bytes =
        sizeof(float) * *options_.parameters - static_cast<double>(parameters_->values().size());
    const double rollout = static_cast<double>(StepsPerUpdate(config_) / config_.actors().count());
    costs.parameter_server += std::max(0.0, bytes) / rollout / kFanOutBytesPerSecond;
    Note(absl::StrFormat("a version has %.0f parameters, as given; a server sends %.2g GB/s",
                         *options_.parameters, kFanOutBytesPerSecond * 1e-9));
  }
  if (DataParallel(config_)) Note("averaging gradients among the learners is left out");
}

void Planning::AddEvaluations() {
  const EvaluationConfig& evaluation = config_.evaluation();
  if (evaluation.every_env_steps() == 0) return;
  const int64_t limit = environment_.max_episode_steps;
  report_.costs.learning += report_.costs.acting_cpu *
                            static_cast<double>(evaluation.episodes() * limit) /
                            static_cast<double>(evaluation.every_env_steps());
  Note("evaluations are in the learner's time, episodes as long as they may be");
}

v1::ExperienceSpec Planning::Spec() const {
  v1::ExperienceSpec spec = RecordedSpec(config_, environment_.observation, environment_.action);
  if (!options_.observation_bytes.has_value()) return spec;
  // Of several columns of the observation the first one makes up for the others.
  int64_t others = 0;
  for (int c = 1; spec.columns(c).per_observation(); ++c) others += RowBytes(spec.columns(c));
  v1::ColumnSpec& first = *spec.mutable_columns(0);
  first.set_dtype(v1::DTYPE_UINT8);
  first.clear_shape();
  first.add_shape(std::max<int64_t>(1, static_cast<int64_t>(*options_.observation_bytes) - others));
  return spec;
}

double Planning::LargerBy() const {
  return static_cast<double>(
      RowStorage::RowBytes(Spec()) -
      RowStorage::RowBytes(RecordedSpec(config_, environment_.observation, environment_.action)));
}

absl::Status Planning::DescribeShape() {
  PlanShape& shape = report_.shape;
  shape.lockstep = config_.actors().mode() == ActorsConfig::LOCKSTEP;
  shape.replay = UsesReplay(config_);
  shape.actors = config_.actors().count();
  shape.learners = LearnerCount(config_);
  shape.groups = PushesGradients(config_) ? shape.learners : 1;
  shape.steps_per_rollout = StepsPerUpdate(config_) / shape.actors;
  const v1::ExperienceSpec spec = Spec();
  double observation = 0, rest = 0;
  for (const v1::ColumnSpec& column : spec.columns())
    (column.per_observation() ? observation : rest) += static_cast<double>(RowBytes(column));
  const auto length = static_cast<double>(config_.actors().segment_length());
  shape.append_bytes = rest + observation * (length + 1) / length;
  shape.parameter_bytes = options_.parameters.has_value()
                              ? sizeof(float) * *options_.parameters
                              : static_cast<double>(parameters_->values().size());
  if (!shape.replay) {
    shape.sample_bytes = shape.append_bytes;
    shape.replay_memory_bytes =
        static_cast<double>(config_.queue().capacity_steps()) * shape.append_bytes;
    shape.server_memory_bytes = static_cast<double>(config_.queue().capacity_bytes());
    return absl::OkStatus();
  }
  shape.sample_bytes = SampledItems() * (2 * observation + rest + kSampledItemBytes);
  TableConfig table = ReplayTable(config_);
  table.set_capacity_bytes(int64_t{1} << 60);
  CADRE_ASSIGN_OR_RETURN(const int64_t rows, TableRows(table, spec, TableWritersOf(config_)));
  shape.replay_memory_bytes = static_cast<double>(rows) *
                              static_cast<double>(TableRowBytes(table, RowStorage::RowBytes(spec)));
  shape.server_memory_bytes = static_cast<double>(config_.replay().capacity_bytes());
  return absl::OkStatus();
}

absl::StatusOr<PlanReport> Planning::Report() {
  report_.experiment = config_.name();
  report_.algorithm = AlgorithmName(config_);
  report_.environment = environment_.id;
  report_.mode = options_.cluster ? "cluster" : options_.mode;
  PlanMachines& machines = report_.machines;
  machines.cluster = options_.cluster;
  machines.cores = options_.cores.value_or(std::max(1u, std::thread::hardware_concurrency()));
  if (options_.cluster)
    machines.network_bytes_per_second = options_.network_gbps.value_or(kNetworkGbps) * 1e9 / 8;
  CADRE_ASSIGN_OR_RETURN(report_.plan, MakePlan(report_.costs, report_.shape, machines));
  return std::move(report_);
}

}  // namespace

absl::Status MakeAndPrintPlan(const PlanOptions& options, ShutdownSignal& shutdown) {
  CADRE_RETURN_IF_ERROR(CheckOptions(options));
  spdlog::set_level(spdlog::level::err);  // Servers that are still starting are no news.
  std::vector<std::string> overrides = options.overrides;
  if (options.actors.has_value())
    overrides.push_back(absl::StrCat("actors.count=", *options.actors));
  CADRE_ASSIGN_OR_RETURN(const Experiment experiment, LoadExperiment(options.config, overrides));
  Planning planning(options, experiment);
  CADRE_RETURN_IF_ERROR(planning.MeasureCosts(shutdown));
  CADRE_RETURN_IF_ERROR(planning.DescribeShape());
  CADRE_ASSIGN_OR_RETURN(const PlanReport report, planning.Report());
  std::printf(
      "%s", options.json ? absl::StrCat(PlanJson(report), "\n").c_str() : PlanText(report).c_str());
  return absl::OkStatus();
}

}  // namespace cadre
