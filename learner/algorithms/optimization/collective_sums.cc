#include "learner/algorithms/optimization/collective_sums.h"

#include <algorithm>
#include <vector>

#include "common/status_macros.h"
#include "learner/algorithms/device/tensor_spans.h"

namespace cadre {

absl::Status SumOverLearners(Collective* collective, absl::Span<double> values) {
  if (collective == nullptr || values.empty()) return absl::OkStatus();
  torch::Tensor sum = torch::empty({static_cast<int64_t>(values.size())}, torch::kFloat64);
  std::copy(values.begin(), values.end(), Flat<double>(sum).begin());
  CADRE_RETURN_IF_ERROR(collective->Sum(sum));
  std::copy_n(Flat<double>(sum).begin(), values.size(), values.begin());
  return absl::OkStatus();
}

absl::Status AverageOverLearners(Collective* collective, absl::Span<double> values) {
  CADRE_RETURN_IF_ERROR(SumOverLearners(collective, values));
  if (collective != nullptr)
    for (double& value : values) value /= collective->size();
  return absl::OkStatus();
}

absl::StatusOr<torch::Tensor> GatherRows(Collective* collective, absl::Span<const double> row) {
  const int size = collective == nullptr ? 1 : collective->size();
  torch::Tensor rows = torch::zeros({size, static_cast<int64_t>(row.size())}, torch::kFloat64);
  const int rank = collective == nullptr ? 0 : collective->rank();
  std::copy(row.begin(), row.end(),
            Flat<double>(rows).begin() + static_cast<int64_t>(rank * row.size()));
  if (collective != nullptr) CADRE_RETURN_IF_ERROR(collective->Sum(rows));
  return rows;
}

absl::StatusOr<int64_t> LeastOverLearners(Collective* collective, int64_t value) {
  CADRE_ASSIGN_OR_RETURN(const torch::Tensor all,
                         GatherRows(collective, {static_cast<double>(value)}));
  return static_cast<int64_t>(all.min().item<double>());
}

absl::StatusOr<int64_t> MostOverLearners(Collective* collective, int64_t value) {
  CADRE_ASSIGN_OR_RETURN(const torch::Tensor all,
                         GatherRows(collective, {static_cast<double>(value)}));
  return static_cast<int64_t>(all.max().item<double>());
}

absl::Status AverageTensors(Collective& collective, absl::Span<const torch::Tensor> tensors,
                            torch::Tensor& buffer) {
  int64_t size = 0;
  for (const torch::Tensor& tensor : tensors) size += tensor.numel();
  if (!buffer.defined() || buffer.numel() != size)
    buffer = torch::empty({size}, tensors.front().options());
  std::vector<torch::Tensor> parts;
  int64_t begin = 0;
  for (const torch::Tensor& tensor : tensors) {
    parts.push_back(buffer.narrow(0, begin, tensor.numel()).view(tensor.sizes()));
    parts.back().copy_(tensor);
    begin += tensor.numel();
  }
  CADRE_RETURN_IF_ERROR(collective.Average(buffer));
  for (size_t i = 0; i < parts.size(); ++i) tensors[i].copy_(parts[i]);
  return absl::OkStatus();
}

absl::Status AverageGradient(Collective& collective, torch::Tensor gradient,
                             absl::Span<double> values, torch::Tensor& buffer) {
  const torch::Tensor host = torch::empty({static_cast<int64_t>(values.size())});
  std::copy(values.begin(), values.end(), Flat(host).begin());
  const torch::Tensor beside = host.to(gradient.device());
  CADRE_RETURN_IF_ERROR(AverageTensors(collective, {gradient, beside}, buffer));
  if (values.empty()) return absl::OkStatus();  // Nothing to wait for the device for.
  host.copy_(beside);
  std::copy_n(Flat(host).begin(), values.size(), values.begin());
  return absl::OkStatus();
}

absl::StatusOr<bool> AverageOverSteps(Collective& collective, int64_t steps, torch::Tensor gradient,
                                      absl::Span<double> values, torch::Tensor& buffer) {
  const double weight = static_cast<double>(steps);
  std::vector<double> weighted;
  for (const double value : values) weighted.push_back(steps > 0 ? weight * value : 0);
  weighted.push_back(weight);
  if (steps > 0)
    gradient.mul_(weight);
  else
    gradient.zero_();
  CADRE_RETURN_IF_ERROR(AverageGradient(collective, gradient, absl::MakeSpan(weighted), buffer));
  const double mean_weight = weighted.back();
  if (mean_weight == 0) return false;
  gradient.div_(mean_weight);
  for (size_t i = 0; i < values.size(); ++i) values[i] = weighted[i] / mean_weight;
  return true;
}

}  // namespace cadre
