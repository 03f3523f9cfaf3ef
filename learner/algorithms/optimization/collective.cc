#include "learner/algorithms/optimization/collective.h"

#include "common/status_macros.h"

namespace cadre {

absl::Status Collective::Average(torch::Tensor values) {
  CADRE_RETURN_IF_ERROR(Sum(values));
  values.div_(size());
  return absl::OkStatus();
}

}  // namespace cadre
