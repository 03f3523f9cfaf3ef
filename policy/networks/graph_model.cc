// Model with LibTorch: functional operations on views of the flat vector, and autograd
// backward. The views are one split, so that the gradient of the flat vector is one
// concatenation of theirs.
#include <torch/autograd.h>

#include <utility>

#include "common/check.h"
#include "policy/networks/bounded_parameters.h"
#include "policy/networks/model.h"

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

using Operands = std::vector<torch::Tensor>;

torch::Tensor Activated(const torch::Tensor& y, LayerActivation activation) {
  switch (activation) {
    case LayerActivation::kNone:
      return y;
    case LayerActivation::kTanh:
      return y.tanh();
    case LayerActivation::kRelu:
      return y.relu();
    case LayerActivation::kGelu:
      return at::gelu(y);
    case LayerActivation::kSilu:
      return at::silu(y);
  }
  CADRE_CHECK(false);
}

// Rows of any shape as [B, size].
torch::Tensor Flat(const torch::Tensor& x) { return x.dim() == 2 ? x : x.flatten(1); }

torch::Tensor Rows(const Operands& operands) {
  if (operands.size() == 1) return Flat(operands[0]);
  std::vector<torch::Tensor> flat;
  for (const torch::Tensor& operand : operands) flat.push_back(Flat(operand));
  return torch::cat(flat, 1);
}

torch::Tensor Apply(const Dense& dense, const Operands& operands, const Blocks& blocks) {
  return Activated(torch::addmm(blocks.at(dense.bias), Rows(operands), blocks.at(dense.weight).t()),
                   dense.activation);
}

torch::Tensor Apply(const Conv2d& conv, const Operands& operands, const Blocks& blocks) {
  torch::Tensor x = operands[0];
  if (conv.channels_last) x = x.permute({0, 3, 1, 2});
  if (x.dim() == 3) x = x.unsqueeze(1);  // One channel.
  const torch::Tensor y =
      at::conv2d(x, blocks.at(conv.weight), blocks.at(conv.bias), conv.stride, conv.padding);
  const torch::Tensor activated = conv.relu ? y.relu() : y;
  return conv.flatten ? activated.flatten(1) : activated;
}

torch::Tensor Apply(const MaxPool2d& pool, const Operands& operands, const Blocks&) {
  return at::max_pool2d(operands[0], pool.kernel, pool.stride, pool.padding);
}

torch::Tensor Apply(const Flatten&, const Operands& operands, const Blocks&) {
  return operands[0].flatten(1);
}

torch::Tensor Apply(const Activate& activate, const Operands& operands, const Blocks&) {
  return Activated(operands[0], activate.activation);
}

torch::Tensor Apply(const Add&, const Operands& operands, const Blocks&) {
  return operands[0] + operands[1];
}

torch::Tensor Apply(const Concat&, const Operands& operands, const Blocks&) {
  return Rows(operands);
}

torch::Tensor Apply(const Slice& slice, const Operands& operands, const Blocks&) {
  return operands[0].narrow(1, slice.offset, slice.size);
}

torch::Tensor Apply(const LayerNorm& norm, const Operands& operands, const Blocks& blocks) {
  const torch::Tensor scale = blocks.at(norm.scale);
  return at::layer_norm(operands[0], scale.sizes(), scale, blocks.at(norm.shift),
                        LayerNorm::kEpsilon);
}

torch::Tensor Apply(const Recurrent& layer, const Operands& operands, const Blocks& blocks) {
  const int64_t sequences = operands[1].size(0);
  const torch::Tensor w_ih = blocks.at(layer.weight_ih), w_hh = blocks.at(layer.weight_hh);
  const torch::Tensor b_ih = blocks.at(layer.bias_ih), b_hh = blocks.at(layer.bias_hh);
  const std::vector<torch::Tensor> x = Flat(operands[0]).split(sequences);
  const std::vector<torch::Tensor> keep = (operands[2] == 0).unsqueeze(1).split(sequences);
  torch::Tensor h = operands[1].narrow(1, layer.state_offset, layer.units), c;
  const bool lstm = layer.kind == Recurrent::kLstm;
  if (lstm) c = operands[1].narrow(1, layer.state_offset + layer.units, layer.units);
  std::vector<torch::Tensor> states;
  for (size_t t = 0; t < x.size(); ++t) {
    h = h * keep[t];
    if (lstm) {
      std::tie(h, c) = at::lstm_cell(x[t], {h, c * keep[t]}, w_ih, w_hh, b_ih, b_hh);
      states.push_back(torch::cat({h, c}, 1));
    } else {
      h = at::gru_cell(x[t], h, w_ih, w_hh, b_ih, b_hh);
      states.push_back(h);
    }
  }
  return torch::cat(states);
}

torch::Tensor Apply(const Dueling& dueling, const Operands& operands, const Blocks&) {
  const torch::Tensor a = operands[1].view({-1, dueling.actions, dueling.atoms});
  return (a - a.mean(1, /*keepdim=*/true) + operands[0].unsqueeze(1)).flatten(1);
}

std::vector<torch::Tensor> RunValues(const Network& network, absl::Span<const ValueId> values,
                                     absl::Span<const int> heads, const torch::Tensor& parameters,
                                     absl::Span<const torch::Tensor> inputs) {
  CADRE_CHECK(inputs.size() == network.inputs.size());
  const Blocks blocks(network.layout, parameters);
  std::vector<torch::Tensor> made(network.value_count());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const bool bytes = inputs[i].defined() && inputs[i].scalar_type() == torch::kUInt8;
    made[i] = bytes ? inputs[i].to(torch::kFloat32) * network.inputs[i].scale : inputs[i];
  }
  Operands operands;
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
