// Optimisers and random numbers in and out of a checkpoint's tensors.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/kernels/optimizer.h"
#include "common/random.h"
#include "common/status_macros.h"
#include "learner/safetensors.h"

namespace cadre {

inline void SaveAdam(const Adam& adam, TensorMap& state) {
  const int64_t size = static_cast<int64_t>(adam.state().m.size());
  state.AddScalar<int64_t>("adam.step", adam.state().step);
  state.Add<float>("adam.m", {size}, adam.state().m);
  state.Add<float>("adam.v", {size}, adam.state().v);
}

inline absl::Status RestoreAdam(const TensorMap& state, Adam& adam) {
  CADRE_ASSIGN_OR_RETURN(adam.mutable_state().step, state.ReadScalar<int64_t>("adam.step"));
  CADRE_RETURN_IF_ERROR(state.Read("adam.m", absl::MakeSpan(adam.mutable_state().m)));
  return state.Read("adam.v", absl::MakeSpan(adam.mutable_state().v));
}

// Four words as int64: the formats that read checkpoints know no uint64.
inline void SaveRandom(const std::string& name, const Random& random, TensorMap& state) {
  std::vector<int64_t> words(random.state().begin(), random.state().end());
  state.Add<int64_t>(name, {4}, words);
}

inline absl::Status RestoreRandom(const std::string& name, const TensorMap& state, Random& random) {
  std::vector<int64_t> words(4);
  CADRE_RETURN_IF_ERROR(state.Read(name, absl::MakeSpan(words)));
  Random::State restored;
  for (size_t i = 0; i < 4; ++i) restored[i] = static_cast<uint64_t>(words[i]);
  random.set_state(restored);
  return absl::OkStatus();
}

}  // namespace cadre
