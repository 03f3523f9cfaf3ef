// A network as an actor runs it, on the CPU kernels: one head, computed from observations. Not
// thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "policy/kernel_pass.h"
#include "policy/network.h"

namespace cadre {

class ActingNetwork {
 public:
  // The first input of `network` is the observation; the head depends on no other input.
  explicit ActingNetwork(const Network& network, int head = 0)
      : weights_(network), pass_(network, weights_, {head}), inputs_(network.inputs.size()) {}
  ActingNetwork(const ActingNetwork&) = delete;
  ActingNetwork& operator=(const ActingNetwork&) = delete;

  // Copies `parameters` [P], flat.
  void Load(absl::Span<const float> parameters) { weights_.Load(parameters); }

  // `observations` [B, O]; returns the head [B, its size], valid until the next call.
  const float* Run(const float* observations, int64_t batch) {
    inputs_[0] = observations;
    pass_.Forward(inputs_, batch);
    return pass_.head(0);
  }

 private:
  KernelWeights weights_;
  KernelPass pass_;
  std::vector<const float*> inputs_;  // One for each network input.
};

}  // namespace cadre
