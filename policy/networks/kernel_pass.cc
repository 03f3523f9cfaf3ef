#include "policy/networks/kernel_pass.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "policy/networks/kernel_operation.h"

namespace cadre {
namespace {

// So few images at a time that what one operation leaves is cached when the next one reads it.
constexpr int64_t kFewRows = 8;

}  // namespace

KernelPass::KernelPass(const Network& network, const KernelWeights& weights, std::vector<int> heads)
    : network_(network),
      heads_(std::move(heads)),
      values_(network.ValuesFor(heads_)),
      rows_(std::make_unique<PassRows>(network, values_)),
      gradients_(std::make_unique<PassGradients>(network)) {
  for (const ValueId value : values_) {
    const Operation& operation = *network.OperationOf(value);
    const OperationSite site{network, weights.of(operation), operation, value};
    operations_.push_back(std::visit(
        [&](const auto& kind) { return MakeKernelOperation(kind, site); }, operation.kind));
  }
  for (size_t i = 0; i < operations_.size(); i = runs_.back().end) {
    size_t end = i;
    while (end < operations_.size() && operations_[end]->few_rows()) ++end;
    runs_.push_back({i, std::max(end, i + 1)});
  }
}

KernelPass::~KernelPass() = default;

const float* KernelPass::head(int index) const {
  return rows_->Floats(network_.heads[heads_[index]].value);
}

void KernelPass::Forward(absl::Span<const void* const> inputs, int64_t batch, int64_t sequences) {
  CADRE_CHECK(sequences > 0 ? batch % sequences == 0 : batch == 0);
  batch_ = batch;
  rows_->Begin(inputs, batch, sequences);
  for (const auto [begin, end] : runs_) {
    if (end == begin + 1) {
      operations_[begin]->Forward(*rows_, 0, batch);
      continue;
    }
    for (int64_t first = 0; first < batch; first += kFewRows)
      for (size_t k = begin; k < end; ++k)
        operations_[k]->Forward(*rows_, first, std::min(kFewRows, batch - first));
  }
}

void KernelPass::Backward(absl::Span<const float> parameters,
                          absl::Span<float* const> head_gradients, absl::Span<float> gradient,
                          absl::Span<float* const> input_gradients) {
  CADRE_CHECK(head_gradients.size() == heads_.size());
  gradients_->Begin(batch_, values_, parameters, gradient, input_gradients);
  for (size_t h = 0; h < heads_.size(); ++h)
    gradients_->SetHead(network_.heads[heads_[h]].value, head_gradients[h]);
  for (size_t i = values_.size(); i-- > 0;) {
    const ValueId value = values_[i];
    float* const rows = gradients_->rows(value);
    if (rows == nullptr) continue;
    if (gradients_->wanted(value)) operations_[i]->Backward(*rows_, *gradients_, rows);
    gradients_->Release(value);
  }
  for (size_t i = 0; i < input_gradients.size(); ++i)
    if (input_gradients[i] != nullptr && gradients_->rows(static_cast<ValueId>(i)) == nullptr)
      std::fill_n(input_gradients[i], batch_ * network_.inputs[i].size(), 0.0f);
}

}  // namespace cadre
