#include "replay_server/storage/table_gather.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "common/check.h"
#include "common/experience/experience_spec.h"

namespace cadre {
namespace {

// Rows that are asked for before they are needed: as many as a core can wait for at once.
constexpr int64_t kAhead = 16;

// [B, kBytes] at `to`; item i's row is row_of(i). With the size known to the compiler a
// small row is a few instructions.
template <int64_t kBytes, typename RowOf>
void GatherFixed(const RowStorage::Column& column, int64_t items, RowOf row_of, std::byte* to) {
  for (int64_t i = 0; i < items; ++i) {
    if (i + kAhead < items) __builtin_prefetch(column.data + row_of(i + kAhead) * kBytes);
    std::memcpy(to + i * kBytes, column.data + row_of(i) * kBytes, kBytes);
  }
}

template <typename RowOf>
void GatherRows(const RowStorage::Column& column, int64_t items, RowOf row_of, std::byte* to) {
  switch (column.row_bytes) {
    case 4:
      return GatherFixed<4>(column, items, row_of, to);
    case 8:
      return GatherFixed<8>(column, items, row_of, to);
    case 16:
      return GatherFixed<16>(column, items, row_of, to);
    default:
      for (int64_t i = 0; i < items; ++i) {
        if (i + kAhead < items) __builtin_prefetch(column.row(row_of(i + kAhead)));
        std::memcpy(to + i * column.row_bytes, column.row(row_of(i)), column.row_bytes);
      }
  }
}

absl::Span<const RowRun> RunsOf(const SampledItems& items, int64_t i) {
  const uint32_t begin = i == 0 ? 0 : items.run_ends[i - 1];
  return absl::MakeConstSpan(items.runs).subspan(begin, items.run_ends[i] - begin);
}

// The discounted rewards of each item, [B] float32: sum over k of gamma^k r_k.
void SumRewards(const RowStorage::Column& column, const SampledItems& items,
                const std::vector<double>& discounts, std::byte* to) {
  const auto* rewards = reinterpret_cast<const float*>(column.data);
  auto* sums = reinterpret_cast<float*>(to);
  for (size_t i = 0; i < items.windows.size(); ++i) {
    if (i + kAhead < items.windows.size())
      __builtin_prefetch(rewards + items.windows[i + kAhead].first_row);
    double sum = 0;
    size_t k = 0;
    for (const RowRun& run : RunsOf(items, static_cast<int64_t>(i)))
      for (uint32_t row = run.first; row < run.first + run.count; ++row)
        sum += discounts[k++] * rewards[row];
    sums[i] = static_cast<float>(sum);
  }
}

// The rows of one column of each item, `rows` of them, zeros past its end.
void GatherSequences(const RowStorage::Column& column, const SampledItems& items, int64_t rows,
                     std::byte* to) {
  const int64_t bytes = column.row_bytes;
  for (size_t i = 0; i < items.windows.size(); ++i) {
    std::byte* const end = to + rows * bytes;
    for (const RowRun& run : RunsOf(items, static_cast<int64_t>(i))) {
      std::memcpy(to, column.row(run.first), run.count * bytes);
      to += run.count * bytes;
    }
    if (column.per_observation) {
      std::memcpy(to, column.row(items.windows[i].last_row), bytes);
      to += bytes;
    }
    std::memset(to, 0, end - to);
    to = end;
  }
}

}  // namespace

TableGather::TableGather(const TableConfig& config, const v1::ExperienceSpec& spec)
    : sequences_(config.has_sequences()), length_(WindowShapeOf(config).length) {
  const auto& states = config.sequences().state_columns();
  for (const v1::ColumnSpec& column : spec.columns())
    is_state_column_.push_back(std::find(states.begin(), states.end(), column.name()) !=
                               states.end());
  if (sequences_) return;
  if (length_ > 1) reward_ = ColumnIndex(spec, "reward");
  for (int64_t k = 0; k <= length_; ++k)
    discounts_.push_back(std::pow(config.transitions().gamma(), static_cast<double>(k)));
}

void TableGather::Gather(const RowStorage& storage, const SampledItems& items,
                         BatchInMaking* batch) const {
  if (sequences_)
    Sequences(storage, items, batch);
  else
    Transitions(storage, items, batch);
}

void TableGather::Transitions(const RowStorage& storage, const SampledItems& items,
                              BatchInMaking* batch) const {
  const std::vector<Window>& windows = items.windows;
  const auto count = static_cast<int64_t>(windows.size());
  const std::vector<RowStorage::Column>& columns = storage.columns();
  auto to = batch->columns.begin();
  for (size_t c = 0; c < columns.size(); ++c, ++to) {
    if (*to == nullptr) continue;
    if (static_cast<int>(c) == reward_)
      SumRewards(columns[c], items, discounts_, *to);
    else
      GatherRows(
          columns[c], count, [&](int64_t i) { return windows[i].first_row; }, *to);
  }
  for (const RowStorage::Column& column : columns) {
    if (!column.per_observation) continue;
    if (*to != nullptr)
      GatherRows(
          column, count, [&](int64_t i) { return windows[i].last_row; }, *to);
    ++to;
  }
  auto* discounts = reinterpret_cast<float*>(*to);
  for (int64_t i = 0; i < count; ++i)
    discounts[i] = windows[i].terminal ? 0 : static_cast<float>(discounts_[windows[i].steps]);
}

std::vector<PiecewiseBytes> TableGather::Refer(const RowStorage& storage, const SampledItems& items,
                                               const BatchInMaking& batch) const {
  CADRE_CHECK(refers());
  std::vector<PiecewiseBytes> rows(batch.columns.size());
  size_t position = 0;
  const auto refer = [&](const RowStorage::Column& column, uint32_t Window::*row) {
    if (batch.columns[position] == nullptr)
      for (const Window& window : items.windows)
        rows[position].emplace_back(column.row(window.*row), column.row_bytes);
    ++position;
  };
  for (const RowStorage::Column& column : storage.columns()) refer(column, &Window::first_row);
  for (const RowStorage::Column& column : storage.columns())
    if (column.per_observation) refer(column, &Window::last_row);
  return rows;
}

void TableGather::Sequences(const RowStorage& storage, const SampledItems& items,
                            BatchInMaking* batch) const {
  const std::vector<Window>& windows = items.windows;
  const auto count = static_cast<int64_t>(windows.size());
  const std::vector<RowStorage::Column>& columns = storage.columns();
  auto to = batch->columns.begin();
  for (size_t c = 0; c < columns.size(); ++c, ++to) {
    if (is_state_column_[c])
      GatherRows(
          columns[c], count, [&](int64_t i) { return windows[i].first_row; }, *to);
    else
      GatherSequences(columns[c], items, columns[c].per_observation ? length_ + 1 : length_, *to);
  }
  auto* lengths = reinterpret_cast<int32_t*>(*to++);
  auto* terminated = reinterpret_cast<uint8_t*>(*to);
  for (int64_t i = 0; i < count; ++i) {
    lengths[i] = static_cast<int32_t>(windows[i].steps);
    terminated[i] = windows[i].terminal;
  }
}

void ImportanceWeights(absl::Span<const float> probabilities, double exponent,
                       absl::Span<float> weights) {
  const auto [least, most] = std::minmax_element(probabilities.begin(), probabilities.end());
  if (exponent == 0 || *least == *most) {
    std::fill(weights.begin(), weights.end(), 1.0f);
    return;
  }
  // The least probable item has the largest weight, and the number of items cancels out.
  constexpr float kPositive = std::numeric_limits<float>::min();
  const float smallest = std::max(*least, kPositive);
  const auto power = static_cast<float>(-exponent);
  for (size_t i = 0; i < weights.size(); ++i)
    weights[i] = std::pow(std::max(probabilities[i], kPositive) / smallest, power);
}

}  // namespace cadre
