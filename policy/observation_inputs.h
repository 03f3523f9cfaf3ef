// The inputs of a network that reads an environment's observations.
#pragma once

#include <vector>

#include "common/spaces.h"
#include "policy/network.h"

namespace cadre {

// Adds an input for each column, in order and under its name: float32, as NetworkInputs and
// ActingInputs make of every column.
inline std::vector<ValueId> AddInputs(NetworkBuilder& builder,
                                      const ObservationSpace& observation) {
  std::vector<ValueId> inputs;
  for (const ObservationColumn& column : observation.columns)
    inputs.push_back(builder.AddInput(column.name, column.shape));
  return inputs;
}

}  // namespace cadre
