// A model between its forms: flat vector, tensors of a checkpoint, publication.
// Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "learner/run_folder/checkpoint.h"
#include "policy/networks/layout.h"
#include "proto/parameters.pb.h"

namespace cadre {

// One tensor for each block of the layout.
void SaveParameters(const ParameterLayout& layout, absl::Span<const float> flat,
                    TensorMap& tensors);

// The statistics of a publication, as "statistic.<name>" float64.
void SaveStatistics(const v1::Parameters& parameters, TensorMap& state);

// The publication that a checkpoint was taken at, weights and statistics; the first one, if
// nothing was published before it.
// FAILED_PRECONDITION where the checkpoint's network is not `layout`'s, DATA_LOSS
// where a tensor is missing.
absl::StatusOr<v1::Parameters> ParametersOf(const Checkpoint& checkpoint,
                                            const ParameterLayout& layout);

// A float64 tensor of any length.
absl::StatusOr<std::vector<double>> ReadVector(const TensorMap& tensors, const std::string& name);

}  // namespace cadre
