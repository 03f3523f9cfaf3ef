#include "policy/acting/acting_inputs.h"

#include "common/check.h"
#include "common/tensor_view.h"

namespace cadre {

ActingInputs::ActingInputs(const ObservationSpace& observation, const ActionSpace& action)
    : columns_(observation.columns),
      masked_(action.masked),
      alternatives_(action.alternatives()),
      rows_(columns_.size()),
      changed_(columns_.size()) {}

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
