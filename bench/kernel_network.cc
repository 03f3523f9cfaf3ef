#include "bench/kernel_network.h"

#include <algorithm>
#include <utility>

#include "common/kernels/kernels.h"

namespace cadre {
namespace {

const kernels::KernelTable& Kernel() { return kernels::Best(); }

kernels::Conv2d ConvShape(const LayerSpec& layer, ImageShape in) {
  return {in.channels,  in.height,    in.width,     layer.units,
          layer.kernel, layer.kernel, layer.stride, layer.padding};
}

}  // namespace

class Operation {
 public:
  Operation(int64_t outputs, int64_t batch) : outputs(outputs), output(outputs * batch) {}
  virtual ~Operation() = default;
  virtual void Pack() {}
  // `count` rows from `first` on, which is the row that `input` begins with. `learning`: Backward
  // follows.
  virtual void Forward(kernels::Images input, int64_t first, int64_t count, bool learning) = 0;
  // Overwrites `gradient`; `input_gradient` may be null.
  virtual void Backward(kernels::Images input, int64_t batch, float* gradient,
                        float* input_gradient) = 0;
  virtual void AppendGradients(std::vector<const std::vector<float>*>&) const {}

  float* Row(int64_t row) { return output.data() + row * outputs; }

  const int64_t outputs;
  std::vector<float> output;          // [B, outputs]
  std::vector<float> input_gradient;  // [B, inputs]; empty for the first operation.
};

namespace {

struct WeightsAndBias {
  std::vector<float> weights, bias;
  std::vector<float> weight_gradient = std::vector<float>(weights.size());
  std::vector<float> bias_gradient = std::vector<float>(bias.size());
};

class ConvOperation final : public Operation {
 public:
  ConvOperation(const kernels::Conv2d& shape, bool relu, WeightsAndBias parameters, int64_t batch)
      : Operation(shape.filters * shape.output_height() * shape.output_width(), batch),
        shape_(shape),
        relu_(relu),
        parameters_(std::move(parameters)),
        packed_(Kernel().conv2d_packed_size(shape)),
        scratch_(Kernel().conv2d_scratch_size(shape)) {}

  void Pack() override { Kernel().conv2d_pack(shape_, parameters_.weights.data(), packed_.data()); }
  void Forward(kernels::Images input, int64_t first, int64_t count, bool) override {
    Kernel().conv2d(shape_, count, input, packed_.data(), parameters_.bias.data(), relu_,
                    Row(first), scratch_.data());
  }
  void Backward(kernels::Images input, int64_t batch, float* gradient, float* to_input) override {
    Kernel().conv2d_backward(shape_, batch, input, parameters_.weights.data(),
                             {.output = gradient,
                              .relu_output = relu_ ? output.data() : nullptr,
                              .weights = parameters_.weight_gradient.data(),
                              .bias = parameters_.bias_gradient.data(),
                              .input = to_input},
                             scratch_.data());
  }
  void AppendGradients(std::vector<const std::vector<float>*>& to) const override {
    to.push_back(&parameters_.weight_gradient);
    to.push_back(&parameters_.bias_gradient);
  }

 private:
  const kernels::Conv2d shape_;
  const bool relu_;
  WeightsAndBias parameters_;
  std::vector<float> packed_, scratch_;
};

class DenseOperation final : public Operation {
 public:
  DenseOperation(int64_t inputs, WeightsAndBias parameters, int64_t batch)
      : Operation(static_cast<int64_t>(parameters.bias.size()), batch),
        inputs_(inputs),
        parameters_(std::move(parameters)),
        packed_(Kernel().packed_size(inputs, outputs)) {}

  void Pack() override {
    Kernel().pack(inputs_, outputs, {parameters_.weights.data(), 1, inputs_}, packed_.data());
  }
  void Forward(kernels::Images input, int64_t first, int64_t count, bool) override {
    Kernel().gemm_packed(count, outputs, inputs_, {input.floats, inputs_, 1}, packed_.data(),
                         Row(first), outputs, parameters_.bias.data(), false);
    Kernel().relu(count * outputs, Row(first));
  }
  void Backward(kernels::Images input, int64_t batch, float* gradient, float* to_input) override {
    Kernel().relu_backward(batch * outputs, output.data(), gradient);
    Kernel().gemm(outputs, inputs_, batch, {gradient, 1, outputs}, input.floats, inputs_,
                  parameters_.weight_gradient.data(), inputs_, nullptr, true);
    Kernel().column_sums(batch, outputs, gradient, parameters_.bias_gradient.data());
    Kernel().gemm(batch, inputs_, outputs, {gradient, outputs, 1}, parameters_.weights.data(),
                  inputs_, to_input, inputs_, nullptr, false);
  }
  void AppendGradients(std::vector<const std::vector<float>*>& to) const override {
    to.push_back(&parameters_.weight_gradient);
    to.push_back(&parameters_.bias_gradient);
  }

 private:
  const int64_t inputs_;
  WeightsAndBias parameters_;
  std::vector<float> packed_;
};

class PoolOperation final : public Operation {
 public:
  PoolOperation(ImageShape in, int64_t outputs, int64_t batch)
      : Operation(outputs, batch),
        shape_{in.channels, in.height, in.width, 3, 2, 1, kernels::Layout::kPixels},
        chosen_(output.size()),
        scratch_(Kernel().max_pool_scratch_size(shape_)) {}

  void Forward(kernels::Images input, int64_t first, int64_t count, bool learning) override {
    Kernel().max_pool(shape_, count, input.floats, Row(first),
                      learning ? chosen_.data() + first * outputs : nullptr, scratch_.data());
  }
  void Backward(kernels::Images, int64_t batch, float* gradient, float* to_input) override {
    Kernel().max_pool_backward(shape_, batch, chosen_.data(), gradient, to_input, false);
  }

 private:
  const kernels::Pool2d shape_;
  std::vector<uint8_t> chosen_;
  std::vector<float> scratch_;
};

class ReluOperation final : public Operation {
 public:
  using Operation::Operation;

  void Forward(kernels::Images input, int64_t first, int64_t count, bool) override {
    std::copy_n(input.floats, count * outputs, Row(first));
    Kernel().relu(count * outputs, Row(first));
  }
  void Backward(kernels::Images, int64_t batch, float* gradient, float* to_input) override {
    std::copy_n(gradient, batch * outputs, to_input);
    Kernel().relu_backward(batch * outputs, output.data(), to_input);
  }
};

// From pixels to planes.
class FlattenOperation final : public Operation {
 public:
  FlattenOperation(ImageShape in, int64_t batch) : Operation(in.size(), batch), in_(in) {}

  void Forward(kernels::Images input, int64_t first, int64_t count, bool) override {
    Kernel().pixels_to_planes(count, in_.channels, in_.height * in_.width, input.floats,
                              Row(first));
  }
  void Backward(kernels::Images, int64_t batch, float* gradient, float* to_input) override {
    Kernel().planes_to_pixels(batch, in_.channels, in_.height * in_.width, gradient, to_input);
  }

 private:
  const ImageShape in_;
};

// x + conv(relu(conv(relu(x)))).
class ResidualOperation final : public Operation {
 public:
  ResidualOperation(const kernels::Conv2d& shape, WeightsAndBias first, WeightsAndBias second,
                    int64_t batch)
      : Operation(shape.channels * shape.height * shape.width, batch),
        relu_(outputs, batch),
        first_(shape, true, std::move(first), batch),
        second_(shape, false, std::move(second), batch),
        gradient_(output.size()) {}

  void Pack() override {
    first_.Pack();
    second_.Pack();
  }
  void Forward(kernels::Images input, int64_t first, int64_t count, bool learning) override {
    relu_.Forward(input, first, count, learning);
    first_.Forward({relu_.Row(first)}, first, count, learning);
    second_.Forward({first_.Row(first)}, first, count, learning);
    const float* inner = second_.Row(first);
    float* sum = Row(first);
    for (int64_t i = 0; i < count * outputs; ++i) sum[i] = input.floats[i] + inner[i];
  }
  void Backward(kernels::Images, int64_t batch, float* gradient, float* to_input) override {
    second_.Backward({first_.output.data()}, batch, gradient, to_input);
    first_.Backward({relu_.output.data()}, batch, to_input, gradient_.data());
    relu_.Backward({nullptr}, batch, gradient_.data(), to_input);
    for (int64_t i = 0; i < batch * outputs; ++i) to_input[i] += gradient[i];
  }
  void AppendGradients(std::vector<const std::vector<float>*>& to) const override {
    first_.AppendGradients(to);
    second_.AppendGradients(to);
  }

 private:
  ReluOperation relu_;
  ConvOperation first_, second_;
  std::vector<float> gradient_;
};

}  // namespace

KernelNetwork::KernelNetwork(const ImageNetwork& network, const Weights& weights, int64_t batch)
    : scale_(network.scale), pixels_(network.input.size()) {
  size_t next = 0;
  const auto take = [&]() -> WeightsAndBias {
    next += 2;
    return {weights.values[next - 2], weights.values[next - 1]};
  };
  ImageShape in = network.input;
  const auto add = [&](std::unique_ptr<Operation> operation) {
    if (!operations_.empty()) operation->input_gradient.resize(in.size() * batch);
    operations_.push_back(std::move(operation));
  };
  // Planes at both ends, and pixels between.
  kernels::Layout layout = kernels::Layout::kPlanes;
  for (size_t i = 0; i < network.layers.size(); ++i) {
    const LayerSpec& layer = network.layers[i];
    const ImageShape out = OutputShape(layer, in);
    const bool flatten =
        i + 1 < network.layers.size() && network.layers[i + 1].kind == LayerSpec::kDense;
    switch (layer.kind) {
      case LayerSpec::kConv: {
        kernels::Conv2d shape = ConvShape(layer, in);
        shape.input_layout = layout;
        layout = flatten ? kernels::Layout::kPlanes : kernels::Layout::kPixels;
        shape.output_layout = layout;
        add(std::make_unique<ConvOperation>(shape, layer.relu, take(), batch));
        break;
      }
      case LayerSpec::kPool:
        add(std::make_unique<PoolOperation>(in, out.size(), batch));
        break;
      case LayerSpec::kResidual: {
        kernels::Conv2d shape = ConvShape({.units = layer.units, .padding = 1}, in);
        shape.input_layout = shape.output_layout = layout;
        WeightsAndBias first = take();
        add(std::make_unique<ResidualOperation>(shape, std::move(first), take(), batch));
        break;
      }
      case LayerSpec::kRelu:
        add(std::make_unique<ReluOperation>(out.size(), batch));
        if (flatten) add(std::make_unique<FlattenOperation>(out, batch));
        break;
      case LayerSpec::kDense:
        add(std::make_unique<DenseOperation>(in.size(), take(), batch));
        break;
    }
    in = out;
  }
}

KernelNetwork::~KernelNetwork() = default;

void KernelNetwork::Pack() {
  for (auto& operation : operations_) operation->Pack();
}

const float* KernelNetwork::Forward(const uint8_t* images, int64_t batch, bool learning) {
  // So few images at a time that what one layer leaves is cached when the next one reads it; all
  // at a time in the dense layer, whose weights are more than its inputs.
  constexpr int64_t kImages = 8;
  const size_t dense = operations_.size() - 1;
  for (int64_t first = 0; first < batch; first += kImages) {
    const int64_t count = std::min(kImages, batch - first);
    kernels::Images input{nullptr, images + first * pixels_, scale_};
    for (size_t i = 0; i < dense; ++i) {
      operations_[i]->Forward(input, first, count, learning);
      input = {operations_[i]->Row(first)};
    }
  }
  operations_[dense]->Forward({operations_[dense - 1]->Row(0)}, 0, batch, learning);
  return operations_[dense]->Row(0);
}

void KernelNetwork::Backward(const uint8_t* images, int64_t batch, float* gradient) {
  for (size_t i = operations_.size(); i-- > 0;) {
    const kernels::Images input = i > 0 ? kernels::Images{operations_[i - 1]->output.data()}
                                        : kernels::Images{nullptr, images, scale_};
    float* to_input = i > 0 ? operations_[i]->input_gradient.data() : nullptr;
    operations_[i]->Backward(input, batch, gradient, to_input);
    gradient = to_input;
  }
}

int64_t KernelNetwork::outputs() const { return operations_.back()->outputs; }

std::vector<const std::vector<float>*> KernelNetwork::gradients() const {
  std::vector<const std::vector<float>*> gradients;
  for (const auto& operation : operations_) operation->AppendGradients(gradients);
  return gradients;
}

}  // namespace cadre
