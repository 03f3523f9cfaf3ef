// What a recurrent value function learns from a batch of replayed sequences, R2D2 (Kapturowski et
// al. 2019, openreview.net/forum?id=r1lyTjAqYX): the steps after the burn-in, each with the n-step
// return and the row of the observation that follows it. Tensor operations on any device;
// pure.
#pragma once

#include <cstdint>

#include <torch/types.h>

#include "learner/algorithms/off_policy.h"

namespace cadre {

struct WindowOptions {
  int64_t burn_in = 0;
  int64_t length = 1;  // W
  int64_t n_step = 1;
  double gamma = 0.99;
};

// The window of a sequence is the W steps after its burn-in. A sequence that begins with an
// episode, with a state of zeros, needs no burn-in: its window is its first W steps.
struct SequenceWindows {
  torch::Tensor begins_episode;  // [B] bool
  // Rows of the batch's observations, window step by window step: [(W + 1) B] int64. The last B
  // are those after the last steps.
  torch::Tensor rows;
  // Of the W B window steps, in the same order.
  torch::Tensor actions;    // [W B] int64
  torch::Tensor rewards;    // [W B] sum of gamma^k r_k, over as many of n steps as there are
  torch::Tensor discounts;  // [W B] gamma^k of what follows; 0 after a terminal state
  torch::Tensor next;       // [W B] int64, what follows: a position among `rows`
  torch::Tensor there;      // [W B] float32: 1 for steps that are there, 0 for padding
};

// `batch` holds sequences of burn_in + W steps.
SequenceWindows WindowsOf(const OffPolicyBatch& batch, const WindowOptions& options);

// Priorities [B] from the errors [W B] of the window's steps: max_share times the largest of a
// sequence and the rest of their mean (section 2.3); 0 if none of its steps is there.
torch::Tensor SequencePriorities(const torch::Tensor& errors, const SequenceWindows& windows,
                                 double max_share);

}  // namespace cadre
