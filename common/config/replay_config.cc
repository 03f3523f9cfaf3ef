#include "common/config/replay_config.h"

#include <algorithm>
#include <cmath>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/config/algorithm_traits.h"
#include "common/config/config.h"
#include "common/config/error_list.h"
#include "common/config/field_validation.h"
#include "common/config/replay_capacity.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace cadre {
namespace {

int64_t EnvironmentsPerActor(const ExperimentConfig& config) {
  return config.actors().environments_per_actor();
}

int64_t Share(int64_t whole, int shards) { return (whole + shards - 1) / shards; }

// The first gradient step waits for this many items; see the header.
int64_t MinSize(const ExperimentConfig& config, int shards) {
  const ReplayConfig& replay = config.replay();
  const int64_t steps =
      std::min(Share(replay.warmup_steps(), shards),
               Share(replay.capacity_steps(), shards) - config.actors().segment_length());
  const WindowShape window = ReplayWindow(config);
  const int64_t incomplete =
      config.actors().count() * EnvironmentsPerActor(config) * (window.length - 1);
  return std::max<int64_t>(1, (steps - incomplete) / window.period);
}

void CheckLimiter(const TableConfig& table, const std::string& path, ErrorList* errors) {
  const RateLimiterConfig& limiter = table.rate_limiter();
  if (table.capacity_items() > 0 && limiter.min_size() > table.capacity_items())
    errors->Add(absl::StrCat(path, ".rate_limiter.min_size: got ", limiter.min_size(),
                             "; wanted at most capacity_items, ", table.capacity_items()));
  if (limiter.samples_per_insert() > 0 &&
      limiter.error_buffer() < std::max(1.0, limiter.samples_per_insert()))
    errors->Add(absl::StrCat(path, ".rate_limiter.error_buffer: got ", limiter.error_buffer(),
                             "; wanted at least samples_per_insert, ", limiter.samples_per_insert(),
                             ", and 1"));
}

}  // namespace

bool UsesReplay(const ExperimentConfig& config) {
  return TraitsOf(config).experience() == AlgorithmTraits::REPLAY;
}

double DiscountFactor(const ExperimentConfig& config) {
  const auto* oneof = ExperimentConfig::descriptor()->FindOneofByName("algorithm");
  const auto* algorithm = config.GetReflection()->GetOneofFieldDescriptor(config, oneof);
  if (algorithm == nullptr) return PpoConfig().gamma();
  const google::protobuf::Message& settings = config.GetReflection()->GetMessage(config, algorithm);
  return settings.GetReflection()->GetDouble(settings,
                                             settings.GetDescriptor()->FindFieldByName("gamma"));
}

bool LearnsSequences(const ExperimentConfig& config) {
  return UsesReplay(config) && config.model().has_memory();
}

WindowShape ReplayWindow(const ExperimentConfig& config) {
  if (!LearnsSequences(config)) return {config.replay().n_step(), 1};
  const SequenceReplayConfig& sequences = config.replay().sequences();
  return {int64_t{sequences.burn_in()} + sequences.length(), sequences.period()};
}

int64_t MostItemsPerRollout(const ExperimentConfig& config) {
  return MostItemsPerRollout(ReplayWindow(config), TableWritersOf(config));
}

int64_t StepsPerGradientStep(const ExperimentConfig& config) {
  constexpr double kMost = 1e15;  // Of what still is a whole number.
  return static_cast<int64_t>(std::min(std::ceil(1 / config.replay().updates_per_step()), kMost));
}

TableConfig ReplayTable(const ExperimentConfig& config, int shards) {
  const ReplayConfig& replay = config.replay();
  TableConfig table;
  table.set_name(kReplayTable);
  table.set_capacity_bytes(replay.capacity_bytes());
  const int64_t period = ReplayWindow(config).period;
  table.set_capacity_items(std::max<int64_t>(1, Share(replay.capacity_steps(), shards) / period));
  if (LearnsSequences(config)) {
    TableConfig::Sequences& sequences = *table.mutable_sequences();
    sequences.set_length(replay.sequences().length());
    sequences.set_burn_in(replay.sequences().burn_in());
    sequences.set_period(replay.sequences().period());
    sequences.add_state_columns(kStateColumn);
  } else {
    table.mutable_transitions()->set_n_step(replay.n_step());
    table.mutable_transitions()->set_gamma(DiscountFactor(config));
  }
  if (replay.has_prioritized())
    table.mutable_sampler()->mutable_prioritized()->set_alpha(replay.prioritized().alpha());
  else
    table.mutable_sampler()->mutable_uniform();
  table.mutable_remover()->mutable_fifo();
  RateLimiterConfig& limiter = *table.mutable_rate_limiter();
  limiter.set_min_size(MinSize(config, shards));
  // In lockstep the learner itself keeps to updates_per_step.
  if (config.actors().mode() == ActorsConfig::ASYNCHRONOUS) {
    const double samples_per_step = replay.updates_per_step() * replay.batch_size();
    limiter.set_samples_per_insert(samples_per_step * static_cast<double>(period));
    limiter.set_error_buffer(samples_per_step * static_cast<double>(replay.slack_steps()));
  }
  return table;
}

absl::Status ValidateReplayServerConfig(const ReplayServerConfig& config) {
  ErrorList errors;
  CheckMessageFields(config, "", &errors);
  if (config.tables().empty()) errors.Add("tables: not given; wanted 1 or more");
  absl::flat_hash_set<std::string> names;
  for (int i = 0; i < config.tables_size(); ++i) {
    const TableConfig& table = config.tables(i);
    const std::string path = absl::StrCat("tables[", i, "]");
    if (table.name().empty() || !names.insert(table.name()).second)
      errors.Add(absl::StrCat(path, ".name: got '", table.name(),
                              "'; wanted a name that no other table has"));
    CheckLimiter(table, path, &errors);
  }
  return errors.ToStatus();
}

}  // namespace cadre
