#include "common/config/replay_capacity.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "common/config/replay_config.h"

namespace cadre {
namespace {

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

// Lost to whole pages and to the alignment of columns.
constexpr int64_t kRounding = 3 * 4096;
constexpr int64_t kRoundingPerColumn = 64;

// Besides the rows of items: for rollouts that are on their way in, and segments that
// still have a few items.
constexpr int64_t kSpareRows = 16384;

// Of numbers that a user may have given: the largest int64 instead of an overflow.
int64_t Times(int64_t a, int64_t b) {
  int64_t product;
  return __builtin_mul_overflow(a, b, &product) ? kMost : product;
}

int64_t Plus(int64_t a, int64_t b) {
  int64_t sum;
  return __builtin_add_overflow(a, b, &sum) ? kMost : sum;
}

int64_t DividedUp(int64_t a, int64_t b) { return a / b + (a % b != 0); }

// Rows of so many steps in segments of `length`.
int64_t RowsOf(int64_t steps, int64_t length) { return Plus(steps, DividedUp(steps, length)); }

// The most rollouts of its writer that a window needs after the one in which it begins. Episodes
// begin with a segment, so of full segments the last step at which a window can begin is
// `length` - gcd(period, length).
int64_t RolloutsAfterFirst(const WindowShape& shape, int64_t length) {
  return DividedUp(std::max<int64_t>(0, shape.length - std::gcd(shape.period, length)), length);
}

// What a selector takes for each slot, rounded up.
int64_t SelectorBytesPerSlot(const SelectorConfig& selector) {
  if (selector.has_prioritized()) return 18;
  return selector.has_max_heap() || selector.has_min_heap() ? 28 : 8;
}

}  // namespace

WindowShape WindowShapeOf(const TableConfig& config) {
  if (!config.has_sequences()) return {config.transitions().n_step(), 1};
  const TableConfig::Sequences& sequences = config.sequences();
  return {int64_t{sequences.burn_in()} + sequences.length(), sequences.period()};
}

TableWriters TableWritersOf(const ExperimentConfig& config, int shards) {
  const ActorsConfig& actors = config.actors();
  return {DividedUp(actors.count(), shards), actors.environments_per_actor(),
          actors.segment_length()};
}

int64_t MostItemsPerRollout(const WindowShape& shape, const TableWriters& writers) {
  // The first step ends an episode, and each of the others is one.
  const int64_t of_each = DividedUp(shape.length, shape.period) + writers.segment_length - 1;
  return Times(writers.environments, of_each);
}

int64_t StepsForWindows(const WindowShape& shape, const TableWriters& writers) {
  if (shape.length == 1) return writers.steps_per_rollout();
  // A window may begin with the last step of a rollout.
  const int64_t rollouts =
      DividedUp(shape.length - 1, writers.segment_length) + 1 + (writers.count > 1 ? 1 : 0);
  return Times(Times(writers.all_environments(), writers.segment_length), rollouts);
}

int64_t LeastRows(const TableConfig& config, const TableWriters& writers) {
  const WindowShape shape = WindowShapeOf(config);
  const int64_t waiting = Times(writers.all_environments(), shape.length - 1);
  // A full table has removed up to a whole segment to take in another.
  const int64_t held = Plus(Plus(Times(config.rate_limiter().min_size(), shape.period), waiting),
                            writers.segment_length);
  return RowsOf(std::max(StepsForWindows(shape, writers), held), 1);
}

int64_t LeastRowsOfAny(const TableConfig& config) {
  const WindowShape shape = WindowShapeOf(config);
  const int64_t before_last = Times(config.rate_limiter().min_size() - 1, shape.period);
  return Plus(Plus(before_last, shape.length), 1);
}

int64_t LeastRowsOfLongEpisodes(const TableConfig& config, const TableWriters& writers) {
  const WindowShape shape = WindowShapeOf(config);
  const int64_t waiting = Times(writers.all_environments(), shape.length - 1);
  const int64_t items = Plus(Times(config.rate_limiter().min_size() - 1, shape.period), 1);
  // The segment in which the oldest window begins is kept whole.
  const int64_t oldest = waiting > 0 ? writers.segment_length : 1;
  // From the rollout in which a window begins to the one that completes it.
  const int64_t rollouts =
      Plus(Times(writers.count, RolloutsAfterFirst(shape, writers.segment_length)), 1);
  return std::max(RowsOf(Plus(waiting, std::max(items, oldest)), writers.segment_length),
                  Times(rollouts, RowsOf(writers.steps_per_rollout(), writers.segment_length)));
}

int64_t RowsForItems(const TableConfig& config) {
  if (config.capacity_items() == 0) return 0;
  const WindowShape shape = WindowShapeOf(config);
  // Even segments of one step, of two rows each, leave room for all items; and of a sequence
  // for all of its steps.
  const int64_t steps = Plus(Times(config.capacity_items(), shape.period),
                             config.has_sequences() ? shape.length - 1 : 0);
  return Plus(Times(2, steps), kSpareRows);
}

int64_t TableRowBytes(const TableConfig& config, int64_t column_bytes) {
  return column_bytes + kTableRowBytes + kTableSegmentBytes / 2 +
         SelectorBytesPerSlot(config.sampler()) + SelectorBytesPerSlot(config.remover()) / 2;
}

int64_t RowsInBytes(const TableConfig& config, int64_t columns, int64_t column_bytes) {
  const int64_t bytes = config.capacity_bytes() - kRounding - kRoundingPerColumn * columns;
  return std::max<int64_t>(0, bytes / TableRowBytes(config, column_bytes));
}

int64_t BytesForRows(const TableConfig& config, int64_t columns, int64_t column_bytes,
                     int64_t rows) {
  return Plus(Times(rows, TableRowBytes(config, column_bytes)),
              kRounding + kRoundingPerColumn * columns);
}

std::string CapacityStepsError(const ExperimentConfig& config, int shards) {
  const ReplayConfig& replay = config.replay();
  const TableWriters writers = TableWritersOf(config, shards);
  const WindowShape window = ReplayWindow(config);
  const int64_t batch = Plus(Times(replay.batch_size(), window.period), window.length);
  const bool sequences = LearnsSequences(config);
  const int64_t rollout = writers.steps_per_rollout();
  const int64_t windows = StepsForWindows(window, writers);
  const int64_t of_each =
      std::max({DividedUp(replay.warmup_steps(), shards), batch, rollout, windows});
  if (DividedUp(replay.capacity_steps(), shards) >= of_each) return "";
  std::string line =
      absl::StrCat("replay.capacity_steps: got ", replay.capacity_steps(), "; wanted at least ",
                   shards == 1 ? of_each : Times(of_each, shards), ": ",
                   shards == 1 ? "" : absl::StrCat("on each of ", shards, " servers "),
                   "the largest of warmup_steps, ", DividedUp(replay.warmup_steps(), shards),
                   sequences ? ", those of a batch of sequences, " : ", batch_size + n_step, ",
                   batch, ", and a rollout's steps, ", rollout);
  if (window.length > 1)
    absl::StrAppend(&line, ", and of the ", windows, " steps of ", writers.all_environments(),
                    " environments in the rollouts that ", sequences ? "a sequence, " : "n_step, ",
                    window.length, sequences ? " steps" : "", ", may extend over");
  return line;
}

std::string CapacityBytesError(const ExperimentConfig& config, int64_t columns,
                               int64_t column_bytes, int shards) {
  const TableConfig table = ReplayTable(config, shards);
  const int64_t wanted = LeastRows(table, TableWritersOf(config, shards));
  if (RowsInBytes(table, columns, column_bytes) >= wanted) return "";
  return absl::StrCat("replay.capacity_bytes: got ", config.replay().capacity_bytes(),
                      "; wanted at least ", BytesForRows(table, columns, column_bytes, wanted),
                      ": ", wanted, " rows of ", TableRowBytes(table, column_bytes),
                      " bytes with their bookkeeping, for the warm-up and the windows of ",
                      TableWritersOf(config, shards).all_environments(), " environments");
}

}  // namespace cadre
