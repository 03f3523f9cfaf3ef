// Optimisers and random numbers in and out of a checkpoint's tensors.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/kernels/optimizer.h"
#include "common/random.h"
#include "learner/run_folder/safetensors.h"

namespace cadre {

inline void SaveAdam(const Adam& adam, TensorMap& state, const std::string& name = "adam") {
  const int64_t size = static_cast<int64_t>(adam.state().m.size());
  state.AddScalar<int64_t>(name + ".step", adam.state().step);
  state.Add<float>(name + ".m", {size}, adam.state().m);
  state.Add<float>(name + ".v", {size}, adam.state().v);
}

// DATA_LOSS where a tensor is missing or has another size.
inline absl::Status RestoreAdam(const TensorMap& state, Adam& adam,
                                const std::string& name = "adam") {
  Adam::State& to = adam.mutable_state();
  absl::Status status = state.Read(name + ".step", absl::MakeSpan(&to.step, 1));
  status.Update(state.Read(name + ".m", absl::MakeSpan(to.m)));
  status.Update(state.Read(name + ".v", absl::MakeSpan(to.v)));
  return status.ok() ? status : absl::DataLossError(status.message());
}

// Four words as int64: the formats that read checkpoints know no uint64.
inline void SaveRandom(const std::string& name, const Random& random, TensorMap& state) {
  std::vector<int64_t> words(random.state().begin(), random.state().end());
  state.Add<int64_t>(name, {4}, words);
}

inline absl::Status RestoreRandom(const std::string& name, const TensorMap& state, Random& random) {
  std::vector<int64_t> words(4);
  const absl::Status status = state.Read(name, absl::MakeSpan(words));
  if (!status.ok()) return absl::DataLossError(status.message());
  Random::State restored;
  for (size_t i = 0; i < 4; ++i) restored[i] = static_cast<uint64_t>(words[i]);
  random.set_state(restored);
  return absl::OkStatus();
}

}  // namespace cadre
