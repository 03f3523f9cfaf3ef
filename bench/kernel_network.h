// A network for images on the CPU kernels, for conv_bench: operations one after the other, each
// with the memory that it needs.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "bench/conv_networks.h"

namespace cadre {

class Operation;

class KernelNetwork {
 public:
  // For batches of up to `batch`.
  KernelNetwork(const ImageNetwork& network, const Weights& weights, int64_t batch);
  ~KernelNetwork();

  void Pack();  // Once for each change of the weights.
  // `learning`: Backward follows.
  const float* Forward(const uint8_t* images, int64_t batch, bool learning);
  // After Forward of the same. Overwrites `gradient` [B, outputs]; adds to gradients().
  void Backward(const uint8_t* images, int64_t batch, float* gradient);

  int64_t outputs() const;
  std::vector<const std::vector<float>*> gradients() const;

 private:
  const float scale_;
  const int64_t pixels_;  // Of an image, of all channels.
  std::vector<std::unique_ptr<Operation>> operations_;
};

}  // namespace cadre
