#include "learner/loop/trainer_state.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/check.h"
#include "common/status_macros.h"

namespace cadre {
namespace {

constexpr char kStatisticPrefix[] = "statistic.";

}  // namespace

void SaveParameters(const ParameterLayout& layout, absl::Span<const float> flat,
                    TensorMap& tensors) {
  CADRE_CHECK(static_cast<int64_t>(flat.size()) == layout.size());
  for (const ParameterBlock& block : layout.blocks())
    tensors.Add<float>(block.name, block.shape, flat.subspan(block.offset, block.size));
}

void SaveStatistics(const v1::Parameters& parameters, TensorMap& state) {
  for (const v1::Statistic& statistic : parameters.statistics())
    state.Add<double>(absl::StrCat(kStatisticPrefix, statistic.name()), {statistic.values_size()},
                      absl::MakeConstSpan(statistic.values().data(), statistic.values_size()));
}

absl::StatusOr<v1::Parameters> ParametersOf(const Checkpoint& checkpoint,
                                            const ParameterLayout& layout) {
  const CheckpointManifest& manifest = checkpoint.manifest;
  if (manifest.layout_fingerprint() != layout.fingerprint())
    return absl::FailedPreconditionError(absl::StrFormat(
        "the checkpoint at %d steps of '%s' has a network of layout %x; this config's is %x",
        manifest.env_steps(), manifest.experiment(), manifest.layout_fingerprint(),
        layout.fingerprint()));
  std::vector<float> flat(layout.size());
  for (const ParameterBlock& block : layout.blocks()) {
    const absl::Status status = checkpoint.parameters.Read(
        block.name, absl::MakeSpan(flat).subspan(block.offset, block.size));
    if (!status.ok()) return absl::DataLossError(status.message());
  }
  v1::Parameters parameters;
  parameters.set_model(manifest.experiment());
  parameters.set_version(std::max<int64_t>(1, manifest.version()));
  parameters.set_values(flat.data(), flat.size() * sizeof(float));
  parameters.set_layout_fingerprint(layout.fingerprint());
  parameters.set_env_steps(manifest.env_steps());
  for (const NamedTensor& tensor : checkpoint.state.tensors()) {
    if (!absl::StartsWith(tensor.name, kStatisticPrefix)) continue;
    CADRE_ASSIGN_OR_RETURN(const auto values, ReadVector(checkpoint.state, tensor.name));
    v1::Statistic* statistic = parameters.add_statistics();
    statistic->set_name(tensor.name.substr(sizeof(kStatisticPrefix) - 1));
    statistic->mutable_values()->Add(values.begin(), values.end());
  }
  return parameters;
}

absl::StatusOr<std::vector<double>> ReadVector(const TensorMap& tensors, const std::string& name) {
  const NamedTensor* tensor = tensors.Find(name);
  if (tensor == nullptr || tensor->dtype != v1::DTYPE_FLOAT64)
    return absl::DataLossError(absl::StrCat("the checkpoint has no float64 tensor '", name, "'"));
  std::vector<double> values(tensor->bytes.size() / sizeof(double));
  std::memcpy(values.data(), tensor->bytes.data(), values.size() * sizeof(double));
  return values;
}

}  // namespace cadre
