// Runs a network on the CPU kernels, without LibTorch: passes through the network, each with its
// own buffers. Nothing is allocated after the first batch of a size. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "policy/networks/kernel_weights.h"
#include "policy/networks/network.h"

namespace cadre {

class KernelOperation;
class PassGradients;
class PassRows;

// A forward pass from a network's inputs to some of its heads, and the backward pass.
class KernelPass {
 public:
  // `heads` are indices into network.heads; only what they depend on is computed. The network and
  // the weights must outlive this.
  KernelPass(const Network& network, const KernelWeights& weights, std::vector<int> heads);
  ~KernelPass();

  // `inputs`: the rows of each network input, [B, size] of its dtype; null if no head of this pass
  // depends on it. Backward reads the inputs again: they must not change before it. Inputs that
  // are per_sequence have `sequences` rows, of which B is a multiple.
  void Forward(absl::Span<const void* const> inputs, int64_t batch, int64_t sequences);
  void Forward(absl::Span<const void* const> inputs, int64_t batch) {
    Forward(inputs, batch, batch);
  }

  // The index-th head of this pass, [B, size]; valid until the next Forward.
  const float* head(int index) const;
  int64_t head_size(int index) const {
    return network_.RowSize(network_.heads[heads_[index]].value);
  }
  int64_t batch() const { return batch_; }

  // Takes the gradient of a loss with respect to each head of the last Forward, [B, size], null
  // for zero; overwrites it. Adds to `gradient` [P], unless it is empty, and sets each
  // `input_gradients` [B, size], one for each network input, unless it is null. `parameters` [P]
  // are the loaded ones. Inputs of uint8 and recurrent states have no gradient.
  void Backward(absl::Span<const float> parameters, absl::Span<float* const> head_gradients,
                absl::Span<float> gradient, absl::Span<float* const> input_gradients);

 private:
  const Network& network_;
  const std::vector<int> heads_;
  const std::vector<ValueId> values_;                         // In order, without inputs.
  std::vector<std::unique_ptr<KernelOperation>> operations_;  // By values_.
  // Operations [begin, end) that take a few rows at a time, together; else one alone.
  struct Run {
    size_t begin, end;
  };
  std::vector<Run> runs_;
  const std::unique_ptr<PassRows> rows_;
  const std::unique_ptr<PassGradients> gradients_;
  int64_t batch_ = 0;
};

}  // namespace cadre
