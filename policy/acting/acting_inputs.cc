#include "policy/acting/acting_inputs.h"

#include <utility>

#include "common/check.h"
#include "common/status_macros.h"
#include "common/tensor_view.h"

namespace cadre {

ActingInputs::ActingInputs(const ObservationSpace& observation, const ActionSpace& action,
                           const NormalizationConfig& normalization)
    : columns_(observation.columns),
      floats_(observation.floats()),
      masked_(action.masked),
      alternatives_(action.alternatives()),
      normalization_(normalization),
      rows_(columns_.size()),
      changed_(columns_.size()) {}

absl::Status ActingInputs::Load(const v1::Parameters& parameters) {
  CADRE_ASSIGN_OR_RETURN(transform_, TransformFrom(parameters, normalization_, floats_));
  return absl::OkStatus();
}

int64_t ActingInputs::Set(ShownBlocks shown) {
  CADRE_CHECK(shown.size() == columns_.size() + (masked_ ? 1 : 0));
  const int64_t batch = static_cast<int64_t>(shown[0].size()) / columns_[0].bytes();
  int64_t first = 0;  // Of the transform's elements.
  for (size_t c = 0; c < columns_.size(); ++c) {
    const int64_t size = columns_[c].elements();
    CADRE_CHECK(static_cast<int64_t>(shown[c].size()) == batch * columns_[c].bytes());
    if (columns_[c].dtype == v1::DTYPE_UINT8) {
      rows_[c] = shown[c].data();
      continue;
    }
    const absl::Span<const float> values = ColumnAs<float>(shown[c]);
    rows_[c] = values.data();
    if (!transform_.identity()) {
      std::vector<float>& changed = changed_[c];
      changed.resize(values.size());
      transform_.Apply(values, absl::MakeSpan(changed), first, size);
      rows_[c] = changed.data();
    }
    first += size;
  }
  if (masked_) mask_ = ColumnAs<uint8_t>(shown.back());
  return batch;
}

}  // namespace cadre
