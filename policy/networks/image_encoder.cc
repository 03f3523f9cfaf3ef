#include "policy/networks/image_encoder.h"

#include <numbers>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/check.h"

namespace cadre {
namespace {

constexpr double kHiddenGain = std::numbers::sqrt2;

// One layer of an encoder.
struct Layer {
  enum Kind { kConv, kPool, kResidual };
  Kind kind = kConv;
  int64_t filters = 0;
  int64_t kernel = 3, stride = 1, padding = 0;
  bool activation = true;  // After a convolution.
};

struct Plan {
  std::vector<Layer> layers;
  bool activation = false;  // After the last layer.
  int64_t features = 0;
};

Plan PlanOf(const CnnConfig& config) {
  Plan plan;
  switch (config.preset()) {
    case CnnConfig::NATURE:
      plan.layers = {{.filters = 32, .kernel = 8, .stride = 4},
                     {.filters = 64, .kernel = 4, .stride = 2},
                     {.filters = 64}};
      plan.features = 512;
      break;
    case CnnConfig::IMPALA:
      for (const int64_t filters : {16, 32, 32}) {
        plan.layers.push_back({.filters = filters, .padding = 1, .activation = false});
        plan.layers.push_back({.kind = Layer::kPool, .stride = 2, .padding = 1});
        for (int block = 0; block < 2; ++block)
          plan.layers.push_back({.kind = Layer::kResidual, .filters = filters, .padding = 1});
      }
      plan.activation = true;
      plan.features = 256;
      break;
    case CnnConfig::MINATAR:
      plan.layers = {{.filters = 16}};
      plan.features = 128;
      break;
    case CnnConfig::OWN_LAYERS:
      for (const CnnConfig::Layer& layer : config.layer())
        plan.layers.push_back({.filters = layer.filters(),
                               .kernel = layer.kernel(),
                               .stride = layer.stride(),
                               .padding = layer.padding()});
      break;
  }
  if (config.features() > 0) plan.features = config.features();
  return plan;
}

bool ChannelsLast(const CnnConfig& config, const ObservationColumn& column) {
  if (column.shape.size() == 2) return false;  // [height, width], of one channel.
  if (config.channels() != CnnConfig::DETECT) return config.channels() == CnnConfig::LAST;
  return column.shape[2] < column.shape[0];
}

ImageShape ImageOf(const CnnConfig& config, const ObservationColumn& column) {
  const std::vector<int64_t>& shape = column.shape;
  if (shape.size() == 2) return {1, shape[0], shape[1]};
  if (ChannelsLast(config, column)) return {shape[2], shape[0], shape[1]};
  return {shape[0], shape[1], shape[2]};
}

Conv2d ConvOf(const Layer& layer, ImageShape in) {
  return {.in = in,
          .filters = layer.filters,
          .kernel = layer.kernel,
          .stride = layer.stride,
          .padding = layer.padding,
          .gain = kHiddenGain};
}

// Whether the kernel fits in.
bool Fits(const Layer& layer, ImageShape in) {
  return in.height + 2 * layer.padding >= layer.kernel &&
         in.width + 2 * layer.padding >= layer.kernel;
}

ImageShape After(const Layer& layer, ImageShape in) {
  if (layer.kind == Layer::kPool)
    return MaxPool2d{in, layer.kernel, layer.stride, layer.padding}.out();
  return ConvOf(layer, in).out();
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

}  // namespace

LayerActivation ActivationOf(Activation activation) {
  switch (activation) {
    case TANH:
      return LayerActivation::kTanh;
    case RELU:
      return LayerActivation::kRelu;
    case GELU:
      return LayerActivation::kGelu;
    case SILU:
      return LayerActivation::kSilu;
  }
  CADRE_CHECK(false);
}

absl::Status CheckImageEncoder(const CnnConfig& config, const ObservationColumn& column) {
  const std::string of = absl::StrCat("model.encoder.cnn of '", column.name, "': ");
  if (column.shape.size() != 2 && column.shape.size() != 3)
    return absl::InvalidArgumentError(absl::StrCat(of, "got observations ", ShapeText(column.shape),
                                                   "; wanted images, [height, width], [channels, "
                                                   "height, width] or [height, width, channels]"));
  const bool preset = config.preset() != CnnConfig::OWN_LAYERS;
  if (preset == !config.layer().empty())
    return absl::InvalidArgumentError(
        absl::StrCat(of, preset ? "got a preset and layers" : "got neither a preset nor layers",
                     "; wanted one of them"));
  ImageShape image = ImageOf(config, column);
  int index = 0;
  for (const Layer& layer : PlanOf(config).layers) {
    if (!Fits(layer, image))
      return absl::InvalidArgumentError(
          absl::StrCat(of, "got images of ", image.height, " x ", image.width, " at layer ", index,
                       "; wanted at least ", layer.kernel - 2 * layer.padding, " x ",
                       layer.kernel - 2 * layer.padding, " for its kernel; the observation is ",
                       ShapeText(column.shape)));
    if (layer.padding >= layer.kernel)
      return absl::InvalidArgumentError(
          absl::StrCat(of, "got padding ", layer.padding, " at layer ", index,
                       "; wanted less than its kernel, ", layer.kernel));
    image = After(layer, image);
    ++index;
  }
  return absl::OkStatus();
}

ValueId AddImageEncoder(NetworkBuilder& builder, absl::string_view name, const CnnConfig& config,
                        const ObservationColumn& column, ValueId input) {
  const LayerActivation activation = ActivationOf(config.activation());
  const Plan plan = PlanOf(config);
  ValueId value = input;
  ImageShape image = ImageOf(config, column);
  int index = 0;
  for (const Layer& layer : plan.layers) {
    const std::string layer_name = absl::StrCat(name, ".", index++);
    Conv2d conv = ConvOf(layer, image);
    conv.channels_last = value == input && ChannelsLast(config, column);
    switch (layer.kind) {
      case Layer::kConv:
        value = builder.AddConv2d(layer_name, value, conv,
                                  layer.activation ? activation : LayerActivation::kNone);
        break;
      case Layer::kPool:
        value = builder.AddMaxPool2d(value, layer.kernel, layer.stride, layer.padding);
        break;
      case Layer::kResidual: {
        const ValueId inner =
            builder.AddConv2d(absl::StrCat(layer_name, ".0"),
                              builder.AddActivate(value, activation), conv, activation);
        value = builder.AddSum(
            builder.AddConv2d(absl::StrCat(layer_name, ".1"), inner, conv, LayerActivation::kNone),
            value);
        break;
      }
    }
    image = After(layer, image);
  }
  if (plan.activation) value = builder.AddActivate(value, activation);
  value = builder.AddFlatten(value);
  if (plan.features == 0) return value;
  return builder.AddDense(absl::StrCat(name, ".", index), {value}, plan.features, activation,
                          kHiddenGain);
}

}  // namespace cadre
