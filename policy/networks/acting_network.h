// A network as an actor runs it, on the CPU kernels: one head, computed from observations. Not
// thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/check.h"
#include "policy/networks/kernel_pass.h"
#include "policy/networks/network.h"

namespace cadre {

class ActingNetwork {
 public:
  // The first inputs of `network` are the columns of the observation; the head depends on nothing
  // else but the memory, if there is one.
  explicit ActingNetwork(const Network& network, int head = 0)
      : state_size_(network.state_size()),
        state_input_(network.FindInput(kStateInput)),
        starts_input_(network.FindInput(kStartsInput)),
        weights_(network),
        pass_(network, weights_,
              state_size_ > 0 ? std::vector<int>{head, network.Head(kStateHead)}
                              : std::vector<int>{head}),
        inputs_(network.inputs.size()) {}
  ActingNetwork(const ActingNetwork&) = delete;
  ActingNetwork& operator=(const ActingNetwork&) = delete;

  // Copies `parameters` [P], flat.
  void Load(absl::Span<const float> parameters) { weights_.Load(parameters); }

  // `columns`: the rows of each of them, [B, its size]. Returns the head [B, its size], valid
  // until the next call. Moves the memory of each row on by a step; another B forgets all of them.
  const float* Run(absl::Span<const void* const> columns, int64_t batch) {
    CADRE_CHECK(columns.size() <= inputs_.size());
    std::copy(columns.begin(), columns.end(), inputs_.begin());
    if (state_size_ > 0) EnterStep(batch);
    pass_.Forward(inputs_, batch);
    if (state_size_ > 0) std::copy_n(pass_.head(1), batch * state_size_, states_.begin());
    return pass_.head(0);
  }

  // Forgets what row `row` remembers.
  void EndEpisode(int64_t row) {
    if (static_cast<int64_t>(states_.size()) >= (row + 1) * state_size_)
      std::fill_n(states_.begin() + row * state_size_, state_size_, 0.0f);
  }

  // What the memories were before the last Run, [B, M]; empty without memory.
  absl::Span<const float> states() const { return states_before_; }

 private:
  void EnterStep(int64_t batch) {
    if (static_cast<int64_t>(states_.size()) != batch * state_size_) {
      states_.assign(batch * state_size_, 0.0f);
      no_starts_.assign(batch, 0.0f);
    }
    states_before_ = states_;
    inputs_[state_input_] = states_before_.data();
    inputs_[starts_input_] = no_starts_.data();
  }

  const int64_t state_size_;  // M; 0 without memory.
  const int state_input_, starts_input_;
  KernelWeights weights_;
  KernelPass pass_;
  std::vector<const void*> inputs_;            // One for each network input.
  std::vector<float> states_, states_before_;  // [B, M]
  std::vector<float> no_starts_;               // [B]; EndEpisode has reset the states.
};

}  // namespace cadre
