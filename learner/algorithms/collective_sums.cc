#include "learner/algorithms/collective_sums.h"

#include <algorithm>

#include "common/status_macros.h"
#include "learner/algorithms/tensor_spans.h"

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

absl::Status AverageGradient(Collective& collective, torch::Tensor gradient,
                             absl::Span<double> values, torch::Tensor& buffer) {
  const int64_t size = gradient.numel();
  const int64_t more = static_cast<int64_t>(values.size());
  if (!buffer.defined() || buffer.numel() != size + more)
    buffer = torch::empty({size + more}, gradient.options());
  const torch::Tensor beside = torch::empty({more});
  for (int64_t i = 0; i < more; ++i) Flat(beside)[i] = static_cast<float>(values[i]);
  buffer.narrow(0, 0, size).copy_(gradient);
  buffer.narrow(0, size, more).copy_(beside);
  CADRE_RETURN_IF_ERROR(collective.Average(buffer));
  gradient.copy_(buffer.narrow(0, 0, size));
  beside.copy_(buffer.narrow(0, size, more));
  for (int64_t i = 0; i < more; ++i) values[i] = Flat(beside)[i];
  return absl::OkStatus();
}

}  // namespace cadre
