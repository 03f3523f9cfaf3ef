// How the CPU kernels run one operation of a network: forward and backward over the rows of a
// pass. Each pass has its own, with the buffers that the operation needs. Private to
// kernel_pass.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "policy/networks/kernel_weights.h"
#include "policy/networks/network.h"

namespace cadre {

// The rows of all values of a pass.
class PassRows {
 public:
  // `values` are computed; inputs of uint8 that some of them want as numbers are converted.
  PassRows(const Network& network, absl::Span<const ValueId> values);

  // `inputs` by network input, null for those that no value needs.
  void Begin(absl::Span<const void* const> inputs, int64_t batch, int64_t sequences);

  const Network& network() const { return network_; }
  int64_t batch() const { return batch_; }          // B
  int64_t sequences() const { return sequences_; }  // S

  int64_t RowSize(ValueId value) const { return row_sizes_[value]; }
  // [B, size], as numbers.
  const float* Floats(ValueId value) const;
  bool IsBytes(ValueId value) const {
    return IsInput(value) && network_.inputs[value].dtype == v1::DTYPE_UINT8;
  }
  // The rows of an input of uint8, and what they are multiplied by.
  const uint8_t* Bytes(ValueId value) const { return static_cast<const uint8_t*>(inputs_[value]); }
  float scale(ValueId value) const { return network_.inputs[value].scale; }

  bool IsInput(ValueId value) const { return static_cast<size_t>(value) < inputs_.size(); }
  // Room for a result, [B, size].
  float* Result(ValueId value);

 private:
  const Network& network_;
  const std::vector<int64_t> row_sizes_;  // By value.
  int64_t batch_ = 0, sequences_ = 0;
  std::vector<const void*> inputs_;            // By input.
  std::vector<bool> converts_;                 // By input.
  std::vector<std::vector<float>> converted_;  // By input.
  std::vector<std::vector<float>> outputs_;    // By operation.
};

// The gradients of a backward pass: of values, which it makes as they are needed, and of
// parameters.
class PassGradients {
 public:
  explicit PassGradients(const Network& network)
      : network_(network), slots_(network.value_count()) {}

  // As KernelPass::Backward. `gradients` of heads are set next.
  void Begin(int64_t batch, absl::Span<const ValueId> values, absl::Span<const float> parameters,
             absl::Span<float> gradient, absl::Span<float* const> input_gradients);
  void SetHead(ValueId value, float* rows) { slots_[value].rows = rows; }

  const float* parameters(int64_t offset) const { return &parameters_[offset]; }
  // Where the gradient of the parameters at `offset` is added to; null if it is not wanted.
  float* gradient(int64_t offset) const { return gradient_.empty() ? nullptr : &gradient_[offset]; }

  // Whether the gradient of a value leads to something that is asked for.
  bool wanted(ValueId value) const { return slots_[value].wanted; }
  // The gradient of a value, [B, size]; null if it is zero so far.
  float* rows(ValueId value) const { return slots_[value].rows; }
  // Where an operand's gradient goes; `add` if it already holds another operation's share.
  struct Destination {
    float* rows;
    bool add;
  };
  Destination DestinationOf(ValueId operand);
  // The gradient of `value` is that of its operand, too, or a share of it: hands over or adds its
  // rows. They must not be used any more.
  void PassOn(ValueId value, ValueId operand);
  // The value's gradient is no longer needed.
  void Release(ValueId value);

 private:
  bool IsInput(ValueId value) const { return static_cast<size_t>(value) < network_.inputs.size(); }

  struct Slot {
    bool wanted = false;
    float* rows = nullptr;  // [B, size]; null while it is zero.
    int buffer = -1;        // Index into buffers_, or -1.
  };
  const Network& network_;
  std::vector<Slot> slots_;                  // By value.
  std::vector<std::vector<float>> buffers_;  // Reused for gradients, to stay in the cache.
  std::vector<int> free_buffers_;
  int64_t batch_ = 0;
  absl::Span<const float> parameters_;
  absl::Span<float> gradient_;
  absl::Span<float* const> input_gradients_;
};

class KernelOperation {
 public:
  virtual ~KernelOperation() = default;

  // Computes rows [first, first + count) of the result: all of them unless few_rows().
  virtual void Forward(PassRows& rows, int64_t first, int64_t count) = 0;
  // From the gradient of the result, [B, size], which it may overwrite.
  virtual void Backward(const PassRows& rows, PassGradients& gradients, float* gradient) = 0;
  // Faster in a few rows at a time: its weights are few and its rows are many numbers.
  virtual bool few_rows() const { return false; }
};

// An operation of a network and its packed weights.
struct OperationSite {
  const Network& network;
  const KernelWeights::Layer& weights;
  const Operation& operation;
  ValueId value;  // Its result.
};

std::unique_ptr<KernelOperation> MakeKernelOperation(const Dense& dense, OperationSite site);
std::unique_ptr<KernelOperation> MakeKernelOperation(const Conv2d& conv, OperationSite site);
std::unique_ptr<KernelOperation> MakeKernelOperation(const MaxPool2d& pool, OperationSite site);
std::unique_ptr<KernelOperation> MakeKernelOperation(const Flatten& flatten, OperationSite site);
std::unique_ptr<KernelOperation> MakeKernelOperation(const Activate& activate, OperationSite site);
std::unique_ptr<KernelOperation> MakeKernelOperation(const Add& add, OperationSite site);
std::unique_ptr<KernelOperation> MakeKernelOperation(const Concat& concat, OperationSite site);
std::unique_ptr<KernelOperation> MakeKernelOperation(const Slice& slice, OperationSite site);
std::unique_ptr<KernelOperation> MakeKernelOperation(const LayerNorm& norm, OperationSite site);
std::unique_ptr<KernelOperation> MakeKernelOperation(const Recurrent& layer, OperationSite site);
std::unique_ptr<KernelOperation> MakeKernelOperation(const Dueling& dueling, OperationSite site);

// Grows a buffer, never shrinks it.
template <typename T>
T* Room(std::vector<T>& buffer, int64_t size) {
  if (static_cast<int64_t>(buffer.size()) < size) buffer.resize(size);
  return buffer.data();
}

}  // namespace cadre
