// Model on the CPU kernels.
#include <utility>

#include "common/check.h"
#include "policy/networks/bounded_parameters.h"
#include "policy/networks/kernel_pass.h"
#include "policy/networks/model.h"

namespace cadre {
namespace {

float* Data(const torch::Tensor& tensor, int64_t size) {
  CADRE_CHECK(tensor.is_contiguous() && tensor.numel() == size);
  return tensor.data_ptr<float>();
}

// The rows of an input as the kernels read them.
const void* InputData(const torch::Tensor& tensor, const NetworkInput& input) {
  const torch::ScalarType type = input.dtype == v1::DTYPE_UINT8 ? torch::kUInt8 : torch::kFloat32;
  CADRE_CHECK(tensor.is_contiguous() && tensor.scalar_type() == type &&
              tensor.numel() == tensor.size(0) * input.size());
  return tensor.data_ptr();
}

class KernelModel final : public Model {
 public:
  explicit KernelModel(Network network)
      : network_(std::move(network)),
        weights_(network_),
        parameters_(torch::zeros({network_.layout.size()})),
        gradient_(torch::zeros({network_.layout.size()})) {}

  const Network& network() const override { return network_; }
  torch::Tensor parameters() override { return parameters_; }
  torch::Tensor gradient() override { return gradient_; }
  void ParametersChanged() override {
    ProjectOntoBounds(network_, parameters_);
    weights_.Load(ParameterSpan());
  }
  std::unique_ptr<Pass> NewPass(std::vector<int> heads, Direction) override;

  const KernelWeights& weights() const { return weights_; }
  absl::Span<const float> ParameterSpan() const { return SpanOf(parameters_); }
  absl::Span<float> GradientSpan() { return SpanOf(gradient_); }

 private:
  static absl::Span<float> SpanOf(const torch::Tensor& flat) {
    return {flat.data_ptr<float>(), static_cast<size_t>(flat.numel())};
  }

  const Network network_;
  KernelWeights weights_;
  const torch::Tensor parameters_, gradient_;  // [P]
};

class KernelModelPass final : public Pass {
 public:
  KernelModelPass(KernelModel& model, std::vector<int> heads)
      : model_(model),
        network_(model.network()),
        heads_(heads.size()),
        pass_(network_, model.weights(), std::move(heads)),
        input_rows_(network_.inputs.size()),
        input_gradients_(network_.inputs.size()),
        input_gradient_rows_(network_.inputs.size()),
        head_gradient_rows_(heads_.size()) {}

  const std::vector<torch::Tensor>& Forward(absl::Span<const torch::Tensor> inputs) override {
    CADRE_CHECK(inputs.size() == input_rows_.size());
    inputs_.assign(inputs.begin(), inputs.end());
    int64_t batch = 0, sequences = -1;
    for (size_t i = 0; i < inputs.size(); ++i) {
      input_rows_[i] = nullptr;
      if (!inputs[i].defined()) continue;
      (network_.inputs[i].per_sequence ? sequences : batch) = inputs[i].size(0);
      input_rows_[i] = InputData(inputs[i], network_.inputs[i]);
    }
    pass_.Forward(input_rows_, batch, sequences < 0 ? batch : sequences);
    // The tensors only look at buffers that the pass owns.
    for (size_t h = 0; h < heads_.size(); ++h)
      heads_[h] = torch::from_blob(const_cast<float*>(pass_.head(static_cast<int>(h))),
                                   {batch, pass_.head_size(static_cast<int>(h))}, torch::kFloat32);
    return heads_;
  }

  void Backward(absl::Span<const torch::Tensor> head_gradients) override {
    SetHeadGradients(head_gradients);
    pass_.Backward(model_.ParameterSpan(), head_gradient_rows_, model_.GradientSpan(), {});
  }

  torch::Tensor InputGradient(absl::Span<const torch::Tensor> head_gradients, int input) override {
    SetHeadGradients(head_gradients);
    std::vector<int64_t> shape = network_.inputs[input].shape;
    shape.insert(shape.begin(), pass_.batch());
    torch::Tensor& out = input_gradients_[input];
    if (!out.defined() || out.sizes() != shape) out = torch::empty(shape);
    input_gradient_rows_.assign(input_gradient_rows_.size(), nullptr);
    input_gradient_rows_[input] = out.data_ptr<float>();
    pass_.Backward(model_.ParameterSpan(), head_gradient_rows_, /*gradient=*/{},
                   input_gradient_rows_);
    return out;
  }

 private:
  void SetHeadGradients(absl::Span<const torch::Tensor> gradients) {
    CADRE_CHECK(gradients.size() == heads_.size());
    for (size_t h = 0; h < gradients.size(); ++h)
      head_gradient_rows_[h] =
          gradients[h].defined() ? Data(gradients[h], heads_[h].numel()) : nullptr;
  }

  KernelModel& model_;
  const Network& network_;
  std::vector<torch::Tensor> heads_;
  KernelPass pass_;
  std::vector<torch::Tensor> inputs_;  // Of the last Forward; Backward reads them.
  std::vector<const void*> input_rows_;
  std::vector<torch::Tensor> input_gradients_;  // By input.
  std::vector<float*> input_gradient_rows_;     // By input.
  std::vector<float*> head_gradient_rows_;      // By head.
};

std::unique_ptr<Pass> KernelModel::NewPass(std::vector<int> heads, Direction) {
  return std::make_unique<KernelModelPass>(*this, std::move(heads));
}

}  // namespace

std::unique_ptr<Model> MakeKernelModel(Network network) {
  return std::make_unique<KernelModel>(std::move(network));
}

}  // namespace cadre
