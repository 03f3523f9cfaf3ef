// Operations on each row of a value by itself on the CPU kernels: activations, sums, layer norms,
// dueling values, and rows put together and taken apart.
#include <algorithm>

#include "policy/acting/action_values.h"
#include "policy/networks/kernel_operation.h"

namespace cadre {
namespace {

class KernelActivate final : public KernelOperation {
 public:
  KernelActivate(const Activate& activate, OperationSite site)
      : activation_(activate.activation), site_(site), operand_(site.operation.operands[0]) {}

  bool few_rows() const override { return true; }

  void Forward(PassRows& rows, int64_t first, int64_t count) override {
    const kernels::KernelTable& kernel = kernels::Best();
    const int64_t offset = first * site_.operation.size, n = count * site_.operation.size;
    const float* const x = rows.Floats(operand_) + offset;
    float* const y = rows.Result(site_.value) + offset;
    if (activation_ == LayerActivation::kGelu) return kernel.gelu(n, x, y);
    if (activation_ == LayerActivation::kSilu) return kernel.silu(n, x, y);
    std::copy_n(x, n, y);
    if (activation_ == LayerActivation::kTanh) kernel.tanh(n, y);
    if (activation_ == LayerActivation::kRelu) kernel.relu(n, y);
  }

  void Backward(const PassRows& rows, PassGradients& gradients, float* gradient) override {
    const kernels::KernelTable& kernel = kernels::Best();
    const int64_t n = rows.batch() * site_.operation.size;
    const float* const x = rows.Floats(operand_);
    const float* const y = rows.Floats(site_.value);
    if (activation_ == LayerActivation::kTanh) kernel.tanh_backward(n, y, gradient);
    if (activation_ == LayerActivation::kRelu) kernel.relu_backward(n, y, gradient);
    if (activation_ == LayerActivation::kGelu) kernel.gelu_backward(n, x, gradient);
    if (activation_ == LayerActivation::kSilu) kernel.silu_backward(n, x, gradient);
    gradients.PassOn(site_.value, operand_);
  }

 private:
  const LayerActivation activation_;
  const OperationSite site_;
  const ValueId operand_;
};

class KernelAdd final : public KernelOperation {
 public:
  explicit KernelAdd(OperationSite site)
      : site_(site), a_(site.operation.operands[0]), b_(site.operation.operands[1]) {}

  bool few_rows() const override { return true; }

  void Forward(PassRows& rows, int64_t first, int64_t count) override {
    const int64_t offset = first * site_.operation.size, n = count * site_.operation.size;
    const float* const a = rows.Floats(a_) + offset;
    const float* const b = rows.Floats(b_) + offset;
    float* const y = rows.Result(site_.value) + offset;
    for (int64_t i = 0; i < n; ++i) y[i] = a[i] + b[i];
  }

  void Backward(const PassRows& rows, PassGradients& gradients, float* gradient) override {
    if (gradients.wanted(b_)) {
      const int64_t n = rows.batch() * site_.operation.size;
      const PassGradients::Destination to = gradients.DestinationOf(b_);
      for (int64_t i = 0; i < n; ++i) to.rows[i] = gradient[i] + (to.add ? to.rows[i] : 0);
    }
    gradients.PassOn(site_.value, a_);
  }

 private:
  const OperationSite site_;
  const ValueId a_, b_;
};

class KernelConcat final : public KernelOperation {
 public:
  explicit KernelConcat(OperationSite site) : site_(site) {}

  void Forward(PassRows& rows, int64_t, int64_t batch) override {
    float* to = rows.Result(site_.value);
    for (const ValueId operand : site_.operation.operands) {
      const int64_t size = rows.RowSize(operand);
      const float* const from = rows.Floats(operand);
      for (int64_t b = 0; b < batch; ++b)
        std::copy_n(from + b * size, size, to + b * site_.operation.size);
      to += size;
    }
  }

  void Backward(const PassRows& rows, PassGradients& gradients, float* gradient) override {
    int64_t column = 0;
    for (const ValueId operand : site_.operation.operands) {
      const int64_t size = rows.RowSize(operand);
      if (gradients.wanted(operand)) {
        const PassGradients::Destination to = gradients.DestinationOf(operand);
        for (int64_t b = 0; b < rows.batch(); ++b) {
          const float* const from = gradient + b * site_.operation.size + column;
          float* const row = to.rows + b * size;
          for (int64_t i = 0; i < size; ++i) row[i] = from[i] + (to.add ? row[i] : 0);
        }
      }
      column += size;
    }
  }

 private:
  const OperationSite site_;
};

class KernelSlice final : public KernelOperation {
 public:
  KernelSlice(const Slice& slice, OperationSite site)
      : offset_(slice.offset), site_(site), operand_(site.operation.operands[0]) {}

  void Forward(PassRows& rows, int64_t, int64_t batch) override {
    const int64_t size = site_.operation.size, stride = rows.RowSize(operand_);
    const float* const from = rows.Floats(operand_) + offset_;
    float* const to = rows.Result(site_.value);
    for (int64_t b = 0; b < batch; ++b) std::copy_n(from + b * stride, size, to + b * size);
  }

  void Backward(const PassRows& rows, PassGradients& gradients, float* gradient) override {
    const int64_t size = site_.operation.size, stride = rows.RowSize(operand_);
    const PassGradients::Destination to = gradients.DestinationOf(operand_);
    if (!to.add) std::fill_n(to.rows, rows.batch() * stride, 0.0f);
    for (int64_t b = 0; b < rows.batch(); ++b)
      for (int64_t i = 0; i < size; ++i)
        to.rows[b * stride + offset_ + i] += gradient[b * size + i];
  }

 private:
  const int64_t offset_;
  const OperationSite site_;
  const ValueId operand_;
};

class KernelLayerNorm final : public KernelOperation {
 public:
  KernelLayerNorm(const LayerNorm& norm, OperationSite site)
      : norm_(norm), site_(site), operand_(site.operation.operands[0]) {}

  void Forward(PassRows& rows, int64_t, int64_t batch) override {
    const int64_t size = site_.operation.size;
    const float* const scale = site_.weights.bias.data();
    kernels::Best().layer_norm(batch, size, rows.Floats(operand_), scale, scale + size,
                               LayerNorm::kEpsilon, rows.Result(site_.value),
                               Room(statistics_, 2 * batch));
  }

  void Backward(const PassRows& rows, PassGradients& gradients, float* gradient) override {
    kernels::Best().layer_norm_backward(rows.batch(), site_.operation.size, rows.Floats(operand_),
                                        gradients.parameters(norm_.scale), statistics_.data(),
                                        gradient, gradients.gradient(norm_.scale),
                                        gradients.gradient(norm_.shift));
    gradients.PassOn(site_.value, operand_);
  }

 private:
  const LayerNorm& norm_;
  const OperationSite site_;
  const ValueId operand_;
  std::vector<float> statistics_;  // [B, 2]
};

class KernelDueling final : public KernelOperation {
 public:
  KernelDueling(const Dueling& dueling, OperationSite site)
      : dueling_(dueling),
        site_(site),
        state_value_(site.operation.operands[0]),
        advantage_(site.operation.operands[1]) {}

  void Forward(PassRows& rows, int64_t, int64_t batch) override {
    float* const out = rows.Result(site_.value);
    std::copy_n(rows.Floats(advantage_), batch * site_.operation.size, out);
    AddStateValues({rows.Floats(state_value_), static_cast<size_t>(batch * dueling_.atoms)},
                   dueling_.actions, dueling_.atoms,
                   {out, static_cast<size_t>(batch * site_.operation.size)});
  }

  void Backward(const PassRows& rows, PassGradients& gradients, float* gradient) override {
    const auto batch = static_cast<size_t>(rows.batch());
    if (gradients.wanted(state_value_)) {
      std::vector<float>& out = value_gradient_;
      Room(out, rows.batch() * dueling_.atoms);
      StateValueGradient({gradient, batch * site_.operation.size}, dueling_.actions, dueling_.atoms,
                         {out.data(), batch * dueling_.atoms});
      const PassGradients::Destination to = gradients.DestinationOf(state_value_);
      for (int64_t i = 0; i < rows.batch() * dueling_.atoms; ++i)
        to.rows[i] = out[i] + (to.add ? to.rows[i] : 0);
    }
    // StateValueGradient has made it the gradient of the advantage.
    gradients.PassOn(site_.value, advantage_);
  }

 private:
  const Dueling& dueling_;
  const OperationSite site_;
  const ValueId state_value_, advantage_;
  std::vector<float> value_gradient_;
};

}  // namespace

std::unique_ptr<KernelOperation> MakeKernelOperation(const Activate& activate, OperationSite site) {
  return std::make_unique<KernelActivate>(activate, site);
}

std::unique_ptr<KernelOperation> MakeKernelOperation(const Add&, OperationSite site) {
  return std::make_unique<KernelAdd>(site);
}

std::unique_ptr<KernelOperation> MakeKernelOperation(const Concat&, OperationSite site) {
  return std::make_unique<KernelConcat>(site);
}

std::unique_ptr<KernelOperation> MakeKernelOperation(const Slice& slice, OperationSite site) {
  return std::make_unique<KernelSlice>(slice, site);
}

std::unique_ptr<KernelOperation> MakeKernelOperation(const LayerNorm& norm, OperationSite site) {
  return std::make_unique<KernelLayerNorm>(norm, site);
}

std::unique_ptr<KernelOperation> MakeKernelOperation(const Dueling& dueling, OperationSite site) {
  return std::make_unique<KernelDueling>(dueling, site);
}

}  // namespace cadre
