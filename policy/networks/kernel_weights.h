// The weights of a network's operations, packed for the CPU kernels; shared by all passes of a
// model.
#pragma once

#include <vector>

#include "absl/types/span.h"
#include "common/kernels/kernels.h"
#include "policy/networks/network.h"

namespace cadre {

class KernelWeights {
 public:
  // `network` must outlive this.
  explicit KernelWeights(const Network& network);

  // Copies the weights from the flat vector [P]. Call after each change of the vector.
  void Load(absl::Span<const float> parameters);

  struct Layer {
    // A dense layer: for each operand, its columns of W, transposed. A convolution: its filters. A
    // recurrent layer: W_ih and W_hh, transposed.
    std::vector<std::vector<float>> packed;
    // [outputs]. Layer norm: scale, shift. GRU: b_ih, b_hh. LSTM: their sum.
    std::vector<float> bias;
  };
  // Of an operation of the network.
  const Layer& of(const Operation& operation) const {
    return layers_[&operation - network_.operations.data()];
  }

 private:
  const Network& network_;
  std::vector<Layer> layers_;  // By operation; empty if it has no weights.
};

// A convolution as the kernels want it. Images are in the order of pixels between operations.
kernels::Conv2d KernelShape(const Network& network, const Operation& operation, const Conv2d& conv);

}  // namespace cadre
