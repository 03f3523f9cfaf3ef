// Runs a network on the CPU kernels, without LibTorch: the weights, packed for the kernels, and
// passes through the network, each with its own buffers. Nothing is allocated after the first
// batch of a size. Not thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "policy/network.h"

namespace cadre {

// The weights of a network's operations, shared by its passes.
class KernelWeights {
 public:
  // `network` must outlive this.
  explicit KernelWeights(const Network& network);

  // Copies the weights from the flat vector [P]. Call after each change of the vector.
  void Load(absl::Span<const float> parameters);

 private:
  friend class KernelPass;
  struct Layer {
    std::vector<std::vector<float>> packed;  // For each operand, its columns of W, transposed.
    std::vector<float> bias;                 // [outputs]
  };
  const Network& network_;
  std::vector<Layer> layers_;  // By operation; empty where it has no weights.
};

// A forward pass from a network's inputs to some of its heads, and the backward pass.
class KernelPass {
 public:
  // `heads` are indices into network.heads; only what they depend on is computed. The network and
  // the weights must outlive this.
  KernelPass(const Network& network, const KernelWeights& weights, std::vector<int> heads);

  // `inputs`: the rows of each network input, [B, size]; null if no head of this pass depends on
  // it. Backward reads the inputs again: they must not change before it.
  void Forward(absl::Span<const float* const> inputs, int64_t batch);

  // The index-th head of this pass, [B, size]; valid until the next Forward.
  const float* head(int index) const { return Rows(network_.heads[heads_[index]].value); }
  int64_t head_size(int index) const {
    return network_.RowSize(network_.heads[heads_[index]].value);
  }
  int64_t batch() const { return batch_; }

  // Takes the gradient of a loss with respect to each head of the last Forward, [B, size], null
  // for zero; overwrites it. Adds to `gradient` [P], unless it is empty, and sets each
  // `input_gradients` [B, size], one for each network input, unless it is null. `parameters` [P]
  // are the loaded ones.
  void Backward(absl::Span<const float> parameters, absl::Span<float* const> head_gradients,
                absl::Span<float> gradient, absl::Span<float* const> input_gradients);

 private:
  const float* Rows(ValueId value) const;
  void Forward(const Dense& dense, const Operation& operation, const KernelWeights::Layer& layer,
               float* out);
  void Forward(const Dueling& dueling, const Operation& operation, float* out);
  // Each takes the gradient with respect to the result of the operation and may overwrite it.
  void Backward(const Operation& operation, ValueId value, float* gradient);
  void Backward(const Dense& dense, const Operation& operation, ValueId value, float* gradient);
  void Backward(const Dueling& dueling, const Operation& operation, ValueId value, float* gradient);
  void FindWanted();

  const Network& network_;
  const KernelWeights& weights_;
  const std::vector<int> heads_;
  const std::vector<ValueId> values_;        // In order, without inputs.
  std::vector<const float*> inputs_;         // By input.
  std::vector<std::vector<float>> outputs_;  // By operation.
  int64_t batch_ = 0;

  // A value's gradient in the current Backward.
  struct Slot {
    bool wanted = false;
    float* rows = nullptr;  // [B, size]; null while it is zero.
    int buffer = -1;        // Index into buffers_, or -1.
  };
  // Where an operand's gradient goes; `add` if it already holds another operation's share.
  struct Destination {
    float* rows;
    bool add;
  };
  Destination DestinationOf(ValueId operand);
  // The value's gradient is no longer needed.
  void Release(ValueId value);

  std::vector<Slot> slots_;                  // By value.
  std::vector<std::vector<float>> buffers_;  // Reused for gradients, to stay in the cache.
  std::vector<int> free_buffers_;
  // Arguments of the current Backward.
  absl::Span<const float> parameters_;
  absl::Span<float> gradient_;
  absl::Span<float* const> input_gradients_;
};

}  // namespace cadre
