// The models of both families in tensor operations on any device: no graph of autograd's, no
// waiting for the device, no allocation in the steady state, so that a CUDA graph may hold
// an update. The twins of the fused ones.
#pragma once

#include <memory>
#include <vector>

#include "policy/actor_critic.h"
#include "policy/mlp_model.h"

namespace cadre {

// Its Values leave the last Forward as it is, whatever their batches' sizes.
std::unique_ptr<ActorCritic> MakeTensorActorCritic(ActorCriticNetwork network,
                                                   torch::Device device);

// `networks` index one vector of `size` floats; they may share layers' parameters.
std::unique_ptr<MlpModel> MakeTensorMlpModel(const std::vector<Mlp>& networks, int64_t size,
                                             torch::Device device);

}  // namespace cadre
