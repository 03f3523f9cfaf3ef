#include "policy/mlp_layers.h"

#include <numbers>
#include <utility>

#include "absl/strings/str_cat.h"

namespace cadre {
namespace {

constexpr double kHiddenGain = std::numbers::sqrt2;

}  // namespace

std::vector<int64_t> HiddenUnits(const MlpConfig& config) {
  if (config.hidden().empty()) return {64, 64};
  return {config.hidden().begin(), config.hidden().end()};
}

LayerActivation HiddenActivation(const MlpConfig& config) {
  return config.activation() == RELU ? LayerActivation::kRelu : LayerActivation::kTanh;
}

std::vector<ValueId> AddHidden(NetworkBuilder& builder, absl::string_view name,
                               std::vector<ValueId> operands, absl::Span<const int64_t> units,
                               LayerActivation activation) {
  for (size_t i = 0; i < units.size(); ++i)
    operands = {builder.AddDense(absl::StrCat(name, ".", i), std::move(operands), units[i],
                                 activation, kHiddenGain)};
  return operands;
}

ValueId AddMlp(NetworkBuilder& builder, absl::string_view name, std::vector<ValueId> operands,
               absl::Span<const int64_t> units, LayerActivation activation, int64_t outputs,
               double gain) {
  operands = AddHidden(builder, name, std::move(operands), units, activation);
  return builder.AddDense(absl::StrCat(name, ".", units.size()), std::move(operands), outputs,
                          LayerActivation::kNone, gain);
}

absl::Status CheckMlpObservation(const ObservationSpace& observation) {
  for (const ObservationColumn& column : observation.columns)
    if (column.dtype != v1::DTYPE_FLOAT32 && column.dtype != v1::DTYPE_UINT8)
      return absl::InvalidArgumentError(
          absl::StrCat("model.mlp takes float32 and uint8 observations; the environment has ",
                       v1::DType_Name(column.dtype)));
  return absl::OkStatus();
}

}  // namespace cadre
