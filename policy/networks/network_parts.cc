#include "policy/networks/network_parts.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/config/config.h"
#include "common/status_macros.h"
#include "policy/networks/image_encoder.h"

namespace cadre {
namespace {

constexpr double kHiddenGain = std::numbers::sqrt2;

const ObservationColumn* FindColumn(const ObservationSpace& observation, absl::string_view name) {
  const auto found = std::ranges::find(observation.columns, name, &ObservationColumn::name);
  return found == observation.columns.end() ? nullptr : &*found;
}

const EncoderConfig* FindEncoder(const ModelConfig& model, absl::string_view column) {
  const auto found = std::ranges::find(model.encoder(), column, &EncoderConfig::column);
  return found == model.encoder().end() ? nullptr : &*found;
}

// What the bytes of a column are multiplied by.
float ScaleOf(const ObservationColumn& column) {
  const float largest =
      column.high.empty() ? 255.0f : *std::max_element(column.high.begin(), column.high.end());
  return std::isfinite(largest) && largest > 0 ? 1 / largest : 1.0f / 255;
}

absl::Status CheckColumn(const ObservationColumn& column) {
  if (column.dtype == v1::DTYPE_FLOAT32 || column.dtype == v1::DTYPE_UINT8) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("observation column '", column.name, "': got ",
                                                 v1::DType_Name(column.dtype),
                                                 "; networks take DTYPE_FLOAT32 and DTYPE_UINT8"));
}

}  // namespace

absl::Status CheckModel(const ModelConfig& model, const ObservationSpace& observation) {
  for (const ObservationColumn& column : observation.columns)
    CADRE_RETURN_IF_ERROR(CheckColumn(column));
  std::set<std::string> encoded;
  for (const EncoderConfig& encoder : model.encoder()) {
    const ObservationColumn* const column = FindColumn(observation, encoder.column());
    if (column == nullptr)
      return absl::InvalidArgumentError(
          absl::StrCat("model.encoder.column: got '", encoder.column(), "'; wanted one of ",
                       absl::StrJoin(observation.columns, ", ",
                                     [](std::string* out, const ObservationColumn& c) {
                                       absl::StrAppend(out, "'", c.name, "'");
                                     })));
    if (!encoded.insert(encoder.column()).second)
      return absl::InvalidArgumentError(absl::StrCat("model.encoder.column: got '",
                                                     encoder.column(),
                                                     "' twice; wanted one encoder for a column"));
    if (encoder.kind_case() == EncoderConfig::KIND_NOT_SET)
      return absl::InvalidArgumentError(
          absl::StrCat("model.encoder of '", encoder.column(),
                       "': got no kind; wanted cnn { ... } or mlp { ... }"));
    if (encoder.has_cnn()) CADRE_RETURN_IF_ERROR(CheckImageEncoder(encoder.cnn(), *column));
  }
  return absl::OkStatus();
}

std::vector<ValueId> AddInputs(NetworkBuilder& builder, const ModelConfig& model,
                               const ObservationSpace& observation) {
  std::vector<ValueId> columns;
  for (const ObservationColumn& column : observation.columns)
    columns.push_back(builder.AddInput({.name = column.name,
                                        .dtype = column.dtype,
                                        .shape = column.shape,
                                        .scale = ScaleOf(column)}));
  if (model.has_memory()) {
    builder.AddInput({.name = kStateInput, .shape = {0}, .per_sequence = true});
    builder.AddInput(kStartsInput, {});
  }
  return columns;
}

std::vector<ValueId> AddFeatures(NetworkBuilder& builder, absl::string_view prefix,
                                 const ModelConfig& model, const ObservationSpace& observation,
                                 const std::vector<ValueId>& columns) {
  std::vector<ValueId> features;
  for (size_t i = 0; i < columns.size(); ++i) {
    const ObservationColumn& column = observation.columns[i];
    const EncoderConfig* const encoder = FindEncoder(model, column.name);
    const std::string name = absl::StrCat(prefix, "encoder.", column.name);
    if (encoder == nullptr) {
      features.push_back(columns[i]);
    } else if (encoder->has_cnn()) {
      features.push_back(AddImageEncoder(builder, name, encoder->cnn(), column, columns[i]));
    } else {
      const DenseEncoderConfig& mlp = encoder->mlp();
      const HiddenLayers layers{{mlp.hidden().begin(), mlp.hidden().end()},
                                ActivationOf(mlp.activation()),
                                mlp.layer_norm()};
      features.push_back(AddHidden(builder, name, {columns[i]}, layers)[0]);
    }
  }
  if (!model.has_memory()) return features;
  const auto kind =
      model.memory().kind() == MemoryConfig::LSTM ? Recurrent::kLstm : Recurrent::kGru;
  return {builder.AddRecurrent(absl::StrCat(prefix, "memory"), kind, std::move(features),
                               model.memory().units())};
}

HiddenLayers HiddenLayersOf(const ModelConfig& model) {
  const MlpConfig& mlp = model.mlp();
  HiddenLayers layers{
      {mlp.hidden().begin(), mlp.hidden().end()}, ActivationOf(mlp.activation()), mlp.layer_norm()};
  if (layers.units.empty() && HasDefaultHidden(model)) layers.units = {64, 64};
  return layers;
}

std::vector<ValueId> AddHidden(NetworkBuilder& builder, absl::string_view name,
                               std::vector<ValueId> operands, const HiddenLayers& layers) {
  for (size_t i = 0; i < layers.units.size(); ++i) {
    const std::string layer = absl::StrCat(name, ".", i);
    ValueId value = builder.AddDense(layer, std::move(operands), layers.units[i],
                                     layers.layer_norm ? LayerActivation::kNone : layers.activation,
                                     kHiddenGain);
    if (layers.layer_norm)
      value = builder.AddActivate(builder.AddLayerNorm(absl::StrCat(layer, ".norm"), value),
                                  layers.activation);
    operands = {value};
  }
  return operands;
}

ValueId AddMlp(NetworkBuilder& builder, absl::string_view name, std::vector<ValueId> operands,
               const HiddenLayers& layers, int64_t outputs, double gain) {
  operands = AddHidden(builder, name, std::move(operands), layers);
  return builder.AddDense(absl::StrCat(name, ".", layers.units.size()), std::move(operands),
                          outputs, LayerActivation::kNone, gain);
}

}  // namespace cadre
