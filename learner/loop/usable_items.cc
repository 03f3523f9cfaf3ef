#include "learner/loop/usable_items.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/experience/finite_values.h"
#include "learner/batches/action_tensors.h"

namespace cadre {
namespace {

bool AllUsable(const ReplaySpaces& spaces, const ReplayBatch& batch) {
  for (const auto& [column, name] : spaces.read)
    if (batch.columns[column].dtype == v1::DTYPE_FLOAT32 &&
        !AllFinite(batch.columns[column].As<float>()))
      return false;
  if (!spaces.action.discrete()) return true;
  const TensorView& actions = batch.columns[spaces.columns.action];
  return FirstUnknownChoice(spaces.action, actions.As<int32_t>()) < 0;
}

// Why item `i` is of no use; "" where it is.
std::string WhyUnusable(const ReplaySpaces& spaces, const ReplayBatch& batch, int64_t i) {
  for (const auto& [column, name] : spaces.read) {
    const TensorView& view = batch.columns[column];
    if (view.dtype != v1::DTYPE_FLOAT32) continue;
    const size_t elements = view.As<float>().size() / batch.items;
    for (const float value : view.As<float>().subspan(i * elements, elements))
      if (!std::isfinite(value))
        return absl::StrCat("column '", name, "' has ", value, "; wanted a finite number");
  }
  if (!spaces.action.discrete()) return "";
  const int64_t choices = spaces.action.choices() * (spaces.sequences() ? spaces.steps : 1);
  const auto actions = batch.columns[spaces.columns.action].As<int32_t>();
  return std::string(
      CheckDiscreteActions(spaces.action, actions.subspan(i * choices, choices)).message());
}

// What a batch has instead of the memory that it came in.
struct Copied {
  std::shared_ptr<const void> original;
  std::vector<std::vector<std::byte>> columns;
  std::vector<float> probabilities, weights;
};

// Items `from` in place of `to`, in memory of its own.
void Replace(const std::vector<int64_t>& to, const std::vector<int64_t>& from, ReplayBatch* batch) {
  auto copied = std::make_shared<Copied>();
  copied->original = batch->owner;
  copied->probabilities.assign(batch->probabilities.begin(), batch->probabilities.end());
  copied->weights.assign(batch->weights.begin(), batch->weights.end());
  for (TensorView& view : batch->columns) {
    std::vector<std::byte>& bytes =
        copied->columns.emplace_back(view.bytes.begin(), view.bytes.end());
    const size_t size = bytes.size() / batch->items;
    for (size_t k = 0; k < to.size(); ++k)
      std::memcpy(&bytes[to[k] * size], &bytes[from[k % from.size()] * size], size);
  }
  for (size_t k = 0; k < to.size(); ++k) {
    copied->probabilities[to[k]] = copied->probabilities[from[k % from.size()]];
    copied->weights[to[k]] = copied->weights[from[k % from.size()]];
  }
  for (size_t c = 0; c < batch->columns.size(); ++c) batch->columns[c].bytes = copied->columns[c];
  batch->probabilities = copied->probabilities;
  batch->weights = copied->weights;
  batch->owner = std::move(copied);
}

}  // namespace

UsableItems KeepUsable(const ReplaySpaces& spaces, ReplayBatch batch) {
  UsableItems out;
  if (!CheckReplayColumns(spaces, batch).ok() || AllUsable(spaces, batch)) {
    out.batch = std::move(batch);
    return out;
  }
  std::vector<int64_t> usable;
  for (int64_t i = 0; i < batch.items; ++i) {
    std::string reason = WhyUnusable(spaces, batch, i);
    (reason.empty() ? usable : out.unusable).push_back(i);
    if (out.reason.empty()) out.reason = std::move(reason);
  }
  if (usable.empty())
    batch.items = 0;
  else
    Replace(out.unusable, usable, &batch);
  out.batch = std::move(batch);
  return out;
}

}  // namespace cadre
