// How the rows of a batch follow each other in time, for networks with a memory.
#pragma once

#include <torch/types.h>

namespace cadre {

// S sequences of T rows, step by step: slot t S + s. Shorter ones are padded at their end with
// rows that nobody reads.
struct Sequences {
  torch::Tensor states;  // [S, M] float32, before the first step of each.
  torch::Tensor starts;  // [T S] float32: not 0 if an episode starts with the row.
  // [T S] int64, the row of the batch in each slot, and [B] int64, the slot of each row. Both are
  // undefined if the batch is in this order already.
  torch::Tensor rows, slots;

  Sequences To(torch::Device device) const {
    return {states.to(device), starts.to(device), rows.defined() ? rows.to(device) : rows,
            slots.defined() ? slots.to(device) : slots};
  }
};

}  // namespace cadre
