#include "policy/mlp_layers.h"

#include "absl/strings/str_cat.h"

namespace cadre {

std::vector<int64_t> HiddenUnits(const MlpConfig& config) {
  if (config.hidden().empty()) return {64, 64};
  return {config.hidden().begin(), config.hidden().end()};
}

LayerActivation HiddenActivation(const MlpConfig& config) {
  return config.activation() == RELU ? LayerActivation::kRelu : LayerActivation::kTanh;
}

void AddLayer(ParameterLayout& layout, const std::string& name, int64_t inputs, int64_t outputs,
              LayerActivation activation, Mlp& mlp) {
  const std::string layer = absl::StrCat(name, ".", mlp.size());
  const int64_t weight = layout.Add(layer + ".weight", {outputs, inputs});
  const int64_t bias = layout.Add(layer + ".bias", {outputs});
  mlp.push_back({inputs, outputs, weight, bias, activation});
}

Mlp AddHidden(ParameterLayout& layout, const std::string& name, int64_t inputs,
              absl::Span<const int64_t> units, LayerActivation activation) {
  Mlp mlp;
  for (const int64_t outputs : units) {
    AddLayer(layout, name, inputs, outputs, activation, mlp);
    inputs = outputs;
  }
  return mlp;
}

Mlp AddMlp(ParameterLayout& layout, const std::string& name, int64_t inputs, int64_t outputs,
           const MlpConfig& config) {
  const std::vector<int64_t> units = HiddenUnits(config);
  Mlp mlp = AddHidden(layout, name, inputs, units, HiddenActivation(config));
  AddLayer(layout, name, units.back(), outputs, LayerActivation::kNone, mlp);
  return mlp;
}

absl::Status CheckMlpObservation(const ObservationSpace& observation) {
  if (observation.dtype == v1::DTYPE_FLOAT32) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("model.mlp takes float32 observations; the environment has ",
                   v1::DType_Name(observation.dtype)));
}

}  // namespace cadre
