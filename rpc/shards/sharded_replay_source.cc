#include "rpc/shards/sharded_replay_source.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/experience/experience_spec.h"
#include "common/process/monotonic_time.h"
#include "common/status_macros.h"
#include "rpc/wire/replay_codec.h"

namespace cadre {
namespace {

// For a shard that has never answered, where others have.
constexpr absl::Duration kFirstAnswerWithin = absl::Seconds(2);

v1::ExperienceSpec SpecOf(absl::Span<const v1::ColumnSpec> columns) {
  v1::ExperienceSpec spec;
  spec.mutable_columns()->Assign(columns.begin(), columns.end());
  return spec;
}

// Ask more often while it lives.
class Hurry {
 public:
  explicit Hurry(absl::Span<const std::unique_ptr<ReplayShard>> shards) : shards_(shards) {
    for (const auto& shard : shards_) shard->set_hurried(true);
  }
  ~Hurry() {
    for (const auto& shard : shards_) shard->set_hurried(false);
  }
  Hurry(const Hurry&) = delete;
  Hurry& operator=(const Hurry&) = delete;

 private:
  const absl::Span<const std::unique_ptr<ReplayShard>> shards_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ShardedReplaySource>> ShardedReplaySource::Create(
    const std::vector<std::string>& addresses, const ReplaySourceOptions& options, uint64_t seed) {
  CADRE_RETURN_IF_ERROR(ValidateReplaySourceOptions(options));
  if (addresses.empty()) return absl::InvalidArgumentError("no address of a replay server");
  auto source = std::unique_ptr<ShardedReplaySource>(new ShardedReplaySource(options, seed));
  std::vector<std::unique_ptr<ReplayShard>> shards;
  for (const std::string& address : addresses) {
    ReplaySourceOptions shard_options = options;
    shard_options.address = address;
    CADRE_ASSIGN_OR_RETURN(
        shards.emplace_back(),
        ReplayShard::Create(shard_options, [source = source.get()] { source->OnChange(); }));
  }
  source->shards_ = std::move(shards);
  absl::MutexLock lock(&source->watch_mutex_);
  source->watches_ = true;
  return source;
}

ShardedReplaySource::ShardedReplaySource(const ReplaySourceOptions& options, uint64_t seed)
    : options_(options), random_(seed) {}

ShardedReplaySource::~ShardedReplaySource() {
  Close();
  absl::MutexLock lock(&watch_mutex_);
  watches_ = false;
}

void ShardedReplaySource::Close() {
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
  }
  for (const auto& shard : shards_) shard->Close();
}

void ShardedReplaySource::OnChange() {
  {
    absl::MutexLock lock(&watch_mutex_);
    const std::vector<double> masses = watches_ ? Look().masses : std::vector<double>();
    for (size_t i = 0; i < masses.size(); ++i)
      if (masses[i] == 0) shards_[i]->LeaveOut();
  }
  absl::MutexLock lock(&mutex_);
  ++changes_;
}

int ShardedReplaySource::live_shards() const {
  return static_cast<int>(std::count_if(shards_.begin(), shards_.end(),
                                        [](const auto& shard) { return shard->state().live; }));
}

absl::StatusOr<ReplayBatch> ShardedReplaySource::Sample(const SampleOptions& options) {
  CADRE_RETURN_IF_ERROR(ValidateSampleOptions(options));
  absl::MutexLock lock(&sample_mutex_);
  if (options.items == 0) return SampleNothing(options.min_inserted_steps);
  const bool lockstep = options.min_inserted_steps > 0;
  if (lockstep) {
    for (const auto& shard : shards_) shard->stream().Abandon();
    ahead_.clear();
    CADRE_RETURN_IF_ERROR(WaitUntil(options.min_inserted_steps).status());
  }
  const size_t ahead = lockstep ? 1 : static_cast<size_t>(options_.prefetch);
  while (ahead_.size() < ahead) {
    CADRE_ASSIGN_OR_RETURN(ahead_.emplace_back(), Ask(options, options.items));
  }
  const Plan plan = std::move(ahead_.front());
  ahead_.pop_front();
  Gathered gathered;
  CADRE_RETURN_IF_ERROR(Gather(plan, &gathered));
  return Finish(gathered, options.importance_exponent);
}

absl::Status ShardedReplaySource::Problem() const {
  {
    absl::MutexLock lock(&mutex_);
    if (closed_) return absl::CancelledError("the replay source was closed");
  }
  for (const auto& shard : shards_) CADRE_RETURN_IF_ERROR(shard->stream().end());
  return absl::OkStatus();
}

ShardedReplaySource::Survey ShardedReplaySource::Look() const {
  std::vector<ReplayShard::State> states;
  for (const auto& shard : shards_) states.push_back(shard->state());
  const bool any_fed = std::any_of(states.begin(), states.end(), [](const auto& state) {
    return state.live && state.mass > 0 && !state.unfed;
  });
  Survey survey;
  for (const ReplayShard::State& state : states) {
    const bool sampled = state.live && (!state.unfed || !any_fed);
    survey.masses.push_back(sampled ? state.mass : 0);
    survey.mass += survey.masses.back();
    survey.items += sampled ? state.items : 0;
    survey.inserted_steps += state.inserted_steps;
    survey.live += state.live ? 1 : 0;
    survey.unheard += state.heard ? 0 : 1;
  }
  return survey;
}

absl::StatusOr<ReplayBatch> ShardedReplaySource::SampleNothing(int64_t min_inserted_steps) {
  const MonotonicTime long_enough =
      MonotonicTime::Now() + std::min(kFirstAnswerWithin, options_.outage.connect_timeout);
  const auto enough = [&](const Survey& survey) {
    return survey.live > 0 && survey.inserted_steps >= min_inserted_steps &&
           (survey.unheard == 0 || MonotonicTime::Now() >= long_enough);
  };
  CADRE_RETURN_IF_ERROR(WaitUntil(enough).status());
  for (const auto& shard : shards_) shard->BeginWithoutUnheard();
  const Survey survey = Look();  // Some may have answered by now.
  ReplayBatch batch;
  batch.table_items = survey.items;
  batch.table_mass = survey.mass;
  batch.inserted_steps = survey.inserted_steps;
  return batch;
}

absl::StatusOr<ShardedReplaySource::Survey> ShardedReplaySource::WaitUntil(int64_t inserted_steps) {
  return WaitUntil([inserted_steps](const Survey& survey) {
    return survey.mass > 0 && survey.inserted_steps >= inserted_steps;
  });
}

// While any shard lives it answers every now and then, and `enough` is asked again.
absl::StatusOr<ShardedReplaySource::Survey> ShardedReplaySource::WaitUntil(
    absl::FunctionRef<bool(const Survey&)> enough) {
  std::optional<Hurry> hurry;
  MonotonicTime give_up = MonotonicTime::InfiniteFuture();
  while (true) {
    const int64_t seen = changes();
    CADRE_RETURN_IF_ERROR(Problem());
    const Survey survey = Look();
    if (enough(survey)) {
      was_live_ = true;
      return survey;
    }
    if (survey.live > 0) {
      was_live_ = true;
      give_up = MonotonicTime::InfiniteFuture();
    } else if (give_up == MonotonicTime::InfiniteFuture()) {
      give_up = MonotonicTime::Now() + patience();
    } else if (MonotonicTime::Now() >= give_up) {
      return absl::UnavailableError(absl::StrCat("none of ", shards_.size(),
                                                 " replay servers can be reached; gave up after ",
                                                 absl::FormatDuration(patience())));
    }
    if (!hurry.has_value()) hurry.emplace(shards_);
    WaitForChange(seen, give_up - MonotonicTime::Now());
  }
}

int64_t ShardedReplaySource::changes() const {
  absl::MutexLock lock(&mutex_);
  return changes_;
}

void ShardedReplaySource::WaitForChange(int64_t seen, absl::Duration timeout) const {
  absl::MutexLock lock(&mutex_);
  const auto changed = [this, seen]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return closed_ || changes_ != seen;
  };
  AwaitFor(mutex_, absl::Condition(&changed), timeout);
}

absl::StatusOr<ShardedReplaySource::Plan> ShardedReplaySource::Ask(const SampleOptions& options,
                                                                   int64_t items) {
  CADRE_ASSIGN_OR_RETURN(const Survey survey, WaitUntil(0));
  Plan plan;
  plan.options = options;
  plan.total_mass = survey.mass;
  const std::vector<int64_t> split = SplitByMass(items, survey.masses, random_);
  for (size_t shard = 0; shard < split.size(); ++shard) {
    if (split[shard] == 0) continue;
    SampleOptions share;  // Weights are the whole's, and so is what has been inserted.
    share.items = split[shard];
    plan.parts.push_back(
        {shard, shards_[shard]->stream().Want(share), survey.masses[shard], split[shard]});
  }
  return plan;
}

// What a shard owes that has died, the others give.
absl::Status ShardedReplaySource::Gather(const Plan& plan, Gathered* gathered) {
  int64_t lost = 0;
  for (const Part& part : plan.parts) {
    absl::StatusOr<BatchOnWire> batch = shards_[part.shard]->stream().Take(part.ticket);
    if (absl::IsUnavailable(batch.status())) {
      lost += part.items;
      continue;
    }
    CADRE_RETURN_IF_ERROR(batch.status());
    gathered->parts.push_back(part);
    gathered->batches.push_back(*std::move(batch));
  }
  gathered->total_mass = plan.total_mass;
  if (lost == 0) return absl::OkStatus();
  CADRE_ASSIGN_OR_RETURN(const Plan more, Ask(plan.options, lost));
  return Gather(more, gathered);
}

absl::StatusOr<ReplayBatch> ShardedReplaySource::Finish(const Gathered& gathered, double exponent) {
  for (const Part& part : gathered.parts) CADRE_RETURN_IF_ERROR(CheckColumns(part.shard));
  CADRE_ASSIGN_OR_RETURN(BatchInMaking made, Assemble(gathered.batches, columns_, pool_));
  ReplayBatch& batch = made.batch;
  int64_t first = 0;
  for (size_t i = 0; i < gathered.parts.size(); ++i) {
    const Part& part = gathered.parts[i];
    const int64_t items = gathered.batches[i].items;
    const double share = part.mass / gathered.total_mass;
    for (int64_t j = first; j < first + items; ++j)
      made.probabilities[j] = static_cast<float>(made.probabilities[j] * share);
    absl::MutexLock lock(&mutex_);
    keys_.Name(part.shard, {made.keys + first, static_cast<size_t>(items)});
    first += items;
  }
  const Survey survey = Look();
  batch.table_items = survey.items;
  batch.table_mass = survey.mass;
  batch.inserted_steps = survey.inserted_steps;
  SetImportanceWeights(survey.items, batch.probabilities, exponent,
                       {made.weights, static_cast<size_t>(batch.items)});
  return std::move(batch);
}

absl::Status ShardedReplaySource::CheckColumns(size_t shard) {
  const std::vector<v1::ColumnSpec> columns = shards_[shard]->stream().columns();
  if (columns_.empty()) columns_ = columns;
  const absl::Status same = CheckSameSpec(SpecOf(columns_), SpecOf(columns));
  if (same.ok()) return same;
  return absl::Status(same.code(),
                      absl::StrCat("the tables of the shards differ: replay server at ",
                                   shards_[shard]->address(), ": ", same.message()));
}

absl::Status ShardedReplaySource::UpdatePriorities(absl::Span<const uint64_t> keys,
                                                   absl::Span<const float> priorities) {
  CADRE_RETURN_IF_ERROR(ValidatePriorities(keys, priorities));
  std::vector<v1::PriorityUpdate> updates(shards_.size());
  {
    absl::MutexLock lock(&mutex_);
    for (size_t i = 0; i < keys.size(); ++i) {
      const std::optional<ShardKeys::Item> item = keys_.Find(keys[i]);
      if (!item.has_value()) continue;
      updates[item->shard].add_keys(item->key);
      updates[item->shard].add_priorities(priorities[i]);
    }
  }
  for (size_t i = 0; i < updates.size(); ++i)
    if (updates[i].keys_size() > 0) shards_[i]->stream().Send(std::move(updates[i]));
  return Problem();
}

std::vector<TableCount> ShardedReplaySource::Counts() const {
  std::vector<TableCount> counts;
  for (const auto& shard : shards_)
    if (std::optional<TableCount> counted = shard->Counted(); counted.has_value())
      counts.push_back(*std::move(counted));
  return counts;
}

int64_t ShardedReplaySource::CountOn(absl::Span<const TableCount> counts) {
  if (counts.empty()) return 0;
  std::vector<std::string> addresses;
  for (const auto& shard : shards_) addresses.push_back(shard->address());
  const MatchedCounts matched = MatchCounts(counts, addresses);
  for (size_t i = 0; i < shards_.size(); ++i) shards_[i]->CountOn(matched.of[i]);
  return matched.others;
}

}  // namespace cadre
