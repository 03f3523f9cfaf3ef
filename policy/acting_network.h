// A network as an actor runs it, on the CPU kernels: one head, computed from observations. Not
// thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/check.h"
#include "policy/kernel_pass.h"
#include "policy/network.h"

namespace cadre {

class ActingNetwork {
 public:
  // The first inputs of `network` are the columns of the observation; the head depends on no
  // other input.
  explicit ActingNetwork(const Network& network, int head = 0)
      : weights_(network), pass_(network, weights_, {head}), inputs_(network.inputs.size()) {}
  ActingNetwork(const ActingNetwork&) = delete;
  ActingNetwork& operator=(const ActingNetwork&) = delete;

  // Copies `parameters` [P], flat.
  void Load(absl::Span<const float> parameters) { weights_.Load(parameters); }

  // `columns`: the rows of each of them, [B, its size]. Returns the head [B, its size], valid
  // until the next call.
  const float* Run(absl::Span<const float* const> columns, int64_t batch) {
    CADRE_CHECK(columns.size() <= inputs_.size());
    std::copy(columns.begin(), columns.end(), inputs_.begin());
    pass_.Forward(inputs_, batch);
    return pass_.head(0);
  }

 private:
  KernelWeights weights_;
  KernelPass pass_;
  std::vector<const float*> inputs_;  // One for each network input.
};

}  // namespace cadre
