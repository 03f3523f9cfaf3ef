// The seam between algorithms and whatever runs their network: forward pass,
// backward pass, one flat vector of parameters and one of gradients. Algorithms
// compute a loss's gradient with respect to the heads; everything below the heads
// is this interface's. Not thread-safe.
#pragma once

#include <memory>

#include <torch/types.h>

#include "policy/flat_model.h"
#include "policy/network.h"

namespace cadre {

// Outputs of the network for B observations, or gradients with respect to them.
struct Heads {
  torch::Tensor policy;   // [B, D] float32: logits, or means.
  torch::Tensor value;    // [B] float32
  torch::Tensor log_std;  // [A] float32; undefined for discrete actions.
};

class ActorCritic : public FlatModel {
 public:
  virtual const ActorCriticNetwork& network() const = 0;
  const ParameterLayout& layout() const final { return network().layout; }

  // `observations` [B, O] float32, normalised. The heads carry no graph, are valid
  // until the next call, and must not be written to.
  virtual Heads Forward(const torch::Tensor& observations) = 0;

  // Sets gradient() from the loss's gradient with respect to the heads of the last
  // Forward, whose observations must still be alive. May overwrite `gradient`.
  virtual void Backward(Heads gradient) = 0;

  // [B] values alone.
  virtual torch::Tensor Values(const torch::Tensor& observations) = 0;
};

// On the CPU kernels: no graph, no allocation in the steady state.
std::unique_ptr<ActorCritic> MakeFusedActorCritic(ActorCriticNetwork network);

// With LibTorch's autograd, on any device it knows.
std::unique_ptr<ActorCritic> MakeAutogradActorCritic(ActorCriticNetwork network,
                                                     torch::Device device);

}  // namespace cadre
