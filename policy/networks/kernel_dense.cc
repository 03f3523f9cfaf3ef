// Dense layers on the CPU kernels.
#include "policy/networks/kernel_operation.h"

namespace cadre {
namespace {

class KernelDense final : public KernelOperation {
 public:
  KernelDense(const Dense& dense, OperationSite site) : dense_(dense), site_(site) {}

  void Forward(PassRows& rows, int64_t, int64_t batch) override {
    const kernels::KernelTable& kernel = kernels::Best();
    float* const out = rows.Result(site_.value);
    for (size_t k = 0; k < site_.operation.operands.size(); ++k) {
      const ValueId operand = site_.operation.operands[k];
      const int64_t columns = rows.RowSize(operand);
      kernel.gemm_packed(batch, dense_.outputs, columns, {rows.Floats(operand), columns, 1},
                         site_.weights.packed[k].data(), out, dense_.outputs,
                         k == 0 ? site_.weights.bias.data() : nullptr, /*accumulate=*/k > 0);
    }
    if (dense_.activation == LayerActivation::kTanh) kernel.tanh(batch * dense_.outputs, out);
    if (dense_.activation == LayerActivation::kRelu) kernel.relu(batch * dense_.outputs, out);
  }

  void Backward(const PassRows& rows, PassGradients& gradients, float* gradient) override {
    const kernels::KernelTable& kernel = kernels::Best();
    const int64_t batch = rows.batch(), outputs = dense_.outputs;
    if (dense_.activation == LayerActivation::kTanh)
      kernel.tanh_backward(batch * outputs, rows.Floats(site_.value), gradient);
    if (dense_.activation == LayerActivation::kRelu)
      kernel.relu_backward(batch * outputs, rows.Floats(site_.value), gradient);
    float* const weight_gradient = gradients.gradient(dense_.weight);
    if (weight_gradient != nullptr)
      kernel.column_sums(batch, outputs, gradient, gradients.gradient(dense_.bias));
    int64_t column = 0;
    for (const ValueId operand : site_.operation.operands) {
      const int64_t columns = rows.RowSize(operand);
      if (weight_gradient != nullptr)  // dW [outputs, columns] += d^T x.
        kernel.gemm(outputs, columns, batch, {gradient, 1, outputs}, rows.Floats(operand), columns,
                    weight_gradient + column, dense_.inputs, /*bias=*/nullptr, /*accumulate=*/true);
      if (gradients.wanted(operand)) {  // dx [B, columns] = d W.
        const PassGradients::Destination to = gradients.DestinationOf(operand);
        kernel.gemm(batch, columns, outputs, {gradient, outputs, 1},
                    gradients.parameters(dense_.weight + column), dense_.inputs, to.rows, columns,
                    /*bias=*/nullptr, /*accumulate=*/to.add);
      }
      column += columns;
    }
  }

 private:
  const Dense& dense_;
  const OperationSite site_;
};

}  // namespace

std::unique_ptr<KernelOperation> MakeKernelOperation(const Dense& dense, OperationSite site) {
  return std::make_unique<KernelDense>(dense, site);
}

}  // namespace cadre
