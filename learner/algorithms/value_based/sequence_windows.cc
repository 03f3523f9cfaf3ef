#include "learner/algorithms/value_based/sequence_windows.h"

#include <cmath>

namespace cadre {

SequenceWindows WindowsOf(const OffPolicyBatch& batch, const WindowOptions& options) {
  const int64_t items = batch.states.size(0), window = options.length;
  const auto index = torch::dtype(torch::kInt64).device(batch.states.device());
  SequenceWindows out;
  out.begins_episode = batch.states.eq(0).all(1);
  const torch::Tensor first = torch::where(out.begins_episode, torch::zeros({items}, index),
                                           torch::full({items}, options.burn_in, index));  // [B]
  const torch::Tensor item = torch::arange(items, index);
  const torch::Tensor t = torch::arange(window + 1, index).unsqueeze(1);  // [W + 1, 1]
  const torch::Tensor rows = (first + t) * items + item;                  // [W + 1, B]
  out.rows = rows.flatten();
  // Steps from t on that are there and within the window, at most n.
  const torch::Tensor step = t.narrow(0, 0, window);  // [W, 1]
  const torch::Tensor left = (batch.lengths - first - step).clamp_min(0);
  const torch::Tensor count = torch::minimum(left, window - step).clamp_max(options.n_step);
  const torch::Tensor rewards =
      batch.rewards.view({-1, items})
          .index_select(0, torch::arange(window + options.burn_in, index));  // [L, B]
  torch::Tensor sum = torch::zeros({window, items}, batch.rewards.options());
  for (int64_t k = 0; k < options.n_step; ++k) {
    const torch::Tensor at = (first + step + k).clamp_max(rewards.size(0) - 1);
    sum = sum + rewards.gather(0, at) * (count > k) * std::pow(options.gamma, k);
  }
  out.rewards = sum.flatten();
  const torch::Tensor ended = batch.terminated.to(torch::kBool) & (left == count);
  const torch::Tensor decay =
      torch::pow(options.gamma, count.to(torch::kFloat64)).to(torch::kFloat32);
  out.discounts = (decay * ended.logical_not()).flatten();
  out.next = ((step + count) * items + item).flatten();
  out.there = (left > 0).to(torch::kFloat32).flatten();
  out.actions = batch.actions.index_select(0, rows.narrow(0, 0, window).flatten());
  return out;
}

torch::Tensor SequencePriorities(const torch::Tensor& errors, const SequenceWindows& windows,
                                 double max_share) {
  const int64_t items = windows.begins_episode.size(0);
  const torch::Tensor there = windows.there.view({-1, items});
  const torch::Tensor own = errors.view({-1, items}) * there;
  const torch::Tensor mean = own.sum(0) / there.sum(0).clamp_min(1);
  return max_share * std::get<0>(own.max(0)) + (1 - max_share) * mean;
}

}  // namespace cadre
