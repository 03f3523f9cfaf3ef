// Model with LibTorch: functional operations on views of the flat vector, and autograd
// backward. The views are one split, so that the gradient of the flat vector is one
// concatenation of theirs.
#include <torch/autograd.h>

#include <utility>

#include "common/check.h"
#include "policy/bounded_parameters.h"
#include "policy/model.h"

namespace cadre {
namespace {

// The parameter blocks of a flat vector, by their offsets.
class Blocks {
 public:
  Blocks(const ParameterLayout& layout, const torch::Tensor& flat) {
    std::vector<int64_t> sizes;
    for (const ParameterBlock& block : layout.blocks()) {
      sizes.push_back(block.size);
      offsets_.push_back(block.offset);
    }
    if (!sizes.empty()) parts_ = flat.split_with_sizes(sizes);
    for (size_t i = 0; i < parts_.size(); ++i) parts_[i] = parts_[i].view(layout.blocks()[i].shape);
  }

  const torch::Tensor& at(int64_t offset) const {
    const auto found = std::ranges::lower_bound(offsets_, offset);
    CADRE_CHECK(found != offsets_.end() && *found == offset);
    return parts_[found - offsets_.begin()];
  }

 private:
  std::vector<int64_t> offsets_;  // Ascending.
  std::vector<torch::Tensor> parts_;
};

torch::Tensor Apply(const Dense& dense, const std::vector<torch::Tensor>& operands,
                    const Blocks& blocks) {
  const torch::Tensor x = operands.size() == 1 ? operands[0] : torch::cat(operands, 1);
  const torch::Tensor y = torch::addmm(blocks.at(dense.bias), x, blocks.at(dense.weight).t());
  if (dense.activation == LayerActivation::kTanh) return y.tanh();
  if (dense.activation == LayerActivation::kRelu) return y.relu();
  return y;
}

torch::Tensor Apply(const Dueling& dueling, const std::vector<torch::Tensor>& operands,
                    const Blocks&) {
  const torch::Tensor a = operands[1].view({-1, dueling.actions, dueling.atoms});
  return (a - a.mean(1, /*keepdim=*/true) + operands[0].unsqueeze(1)).flatten(1);
}

std::vector<torch::Tensor> RunValues(const Network& network, absl::Span<const ValueId> values,
                                     absl::Span<const int> heads, const torch::Tensor& parameters,
                                     absl::Span<const torch::Tensor> inputs) {
  CADRE_CHECK(inputs.size() == network.inputs.size());
  const Blocks blocks(network.layout, parameters);
  std::vector<torch::Tensor> made(network.value_count());
  std::copy(inputs.begin(), inputs.end(), made.begin());
  std::vector<torch::Tensor> operands;
  for (const ValueId value : values) {
    const Operation& operation = *network.OperationOf(value);
    operands.clear();
    for (const ValueId operand : operation.operands) operands.push_back(made[operand]);
    made[value] =
        std::visit([&](const auto& kind) { return Apply(kind, operands, blocks); }, operation.kind);
  }
  std::vector<torch::Tensor> out;
  for (const int head : heads) out.push_back(made[network.heads[head].value]);
  return out;
}

class GraphModel final : public Model {
 public:
  GraphModel(Network network, torch::Device device)
      : network_(std::move(network)),
        parameters_(torch::zeros({network_.layout.size()}, device)),
        gradient_(torch::zeros({network_.layout.size()}, device)),
        leaf_(parameters_.detach().requires_grad_()) {}

  const Network& network() const override { return network_; }
  torch::Tensor parameters() override { return parameters_; }
  torch::Tensor gradient() override { return gradient_; }
  void ParametersChanged() override { ProjectOntoBounds(network_, parameters_); }
  std::unique_ptr<Pass> NewPass(std::vector<int> heads, Direction direction) override;

  // The parameters once more, for autograd.
  const torch::Tensor& leaf() const { return leaf_; }

 private:
  const Network network_;
  const torch::Tensor parameters_, gradient_;  // [P]
  const torch::Tensor leaf_;
};

class GraphPass final : public Pass {
 public:
  GraphPass(GraphModel& model, std::vector<int> heads, Direction direction)
      : model_(model),
        heads_(std::move(heads)),
        values_(model.network().ValuesFor(heads_)),
        direction_(direction) {}

  const std::vector<torch::Tensor>& Forward(absl::Span<const torch::Tensor> inputs) override {
    const bool back = direction_ == Direction::kForwardAndBackward;
    torch::AutoGradMode mode(back);
    inputs_.assign(inputs.begin(), inputs.end());
    if (back)
      for (torch::Tensor& input : inputs_)
        if (input.defined() && input.is_floating_point()) input = input.detach().requires_grad_();
    with_graph_ = RunValues(model_.network(), values_, heads_, model_.leaf(), inputs_);
    without_.clear();
    for (const torch::Tensor& head : with_graph_) without_.push_back(head.detach());
    return without_;
  }

  void Backward(absl::Span<const torch::Tensor> head_gradients) override {
    torch::NoGradGuard no_graph;
    const torch::Tensor gradient = GradientOf(head_gradients, model_.leaf());
    if (gradient.defined()) model_.gradient().add_(gradient);
  }

  torch::Tensor InputGradient(absl::Span<const torch::Tensor> head_gradients, int input) override {
    const torch::Tensor gradient = GradientOf(head_gradients, inputs_[input]);
    return gradient.defined() ? gradient : torch::zeros_like(inputs_[input]);
  }

 private:
  torch::Tensor GradientOf(absl::Span<const torch::Tensor> head_gradients,
                           const torch::Tensor& what) {
    CADRE_CHECK(direction_ == Direction::kForwardAndBackward &&
                head_gradients.size() == with_graph_.size());
    std::vector<torch::Tensor> outputs, gradients;
    for (size_t h = 0; h < head_gradients.size(); ++h) {
      if (!head_gradients[h].defined()) continue;
      outputs.push_back(with_graph_[h]);
      gradients.push_back(head_gradients[h]);
    }
    const torch::Tensor gradient =
        torch::autograd::grad(outputs, {what}, gradients, /*retain_graph=*/false,
                              /*create_graph=*/false, /*allow_unused=*/true)[0];
    with_graph_.clear();
    return gradient;
  }

  GraphModel& model_;
  const std::vector<int> heads_;
  const std::vector<ValueId> values_;
  const Direction direction_;
  std::vector<torch::Tensor> inputs_;      // Leaves, of the last Forward.
  std::vector<torch::Tensor> with_graph_;  // Its heads, until one goes backward.
  std::vector<torch::Tensor> without_;
};

std::unique_ptr<Pass> GraphModel::NewPass(std::vector<int> heads, Direction direction) {
  return std::make_unique<GraphPass>(*this, std::move(heads), direction);
}

}  // namespace

std::unique_ptr<Model> MakeGraphModel(Network network, torch::Device device) {
  return std::make_unique<GraphModel>(std::move(network), device);
}

std::unique_ptr<Model> MakeModel(Network network, Runner runner, torch::Device device) {
  if (runner == Runner::kGraph) return MakeGraphModel(std::move(network), device);
  CADRE_CHECK(device.is_cpu());
  return MakeKernelModel(std::move(network));
}

std::vector<torch::Tensor> HeadsWithGraph(const Network& network, absl::Span<const int> heads,
                                          const torch::Tensor& parameters,
                                          absl::Span<const torch::Tensor> inputs) {
  return RunValues(network, network.ValuesFor(heads), heads, parameters, inputs);
}

}  // namespace cadre
