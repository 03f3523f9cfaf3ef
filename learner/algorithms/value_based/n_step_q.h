// n-step Q-learning and SARSA (Mnih et al. 2016, arXiv:1602.01783, algorithm S2 and section
// 4): the gradient of
//   (R_t - Q(s_t, a_t))^2,   R_t = r_t + gamma R_{t+1} within a segment,
// the mean over the batch's steps. What follows a segment that does not end in a terminal
// state is, by the target network,
//   Q-learning  max_a Q(s_T, a), s_T the segment's last observation
//   SARSA       Q(s_{T-1}, a_{T-1}), as the action in s_T is not known yet: so the last step
//               of such a segment is not learned from itself
// and 0 after a terminal one. The target network is a copy of the shared model that the learner
// renews once for each multiple of an interval of its versions: of the first version at or after
// the multiple that the learner sees, which is the multiple itself only if this learner's
// gradient made it. So learners' targets may differ by the versions that the others make during
// one of their updates. In algorithm S2 all threads share one target, copied at the multiple.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "common/random.h"
#include "common/spaces.h"
#include "learner/algorithms/device/device_options.h"
#include "learner/algorithms/optimization/gradient_algorithm.h"
#include "proto/config.pb.h"

namespace cadre {

enum class NStepTarget { kGreatest, kTaken };

struct NStepQOptions {
  double gamma = 0.99;
  int64_t target_update_interval = 500;  // Versions of the shared model.
  NStepTarget target = NStepTarget::kGreatest;
};

// Its parameters are drawn from `random`. INVALID_ARGUMENT where the model does not fit the
// spaces, or the actions are continuous.
absl::StatusOr<std::unique_ptr<BatchGradient>> MakeNStepQ(const NStepQOptions& options,
                                                          const ModelConfig& model,
                                                          const ObservationSpace& observation,
                                                          const ActionSpace& action, Random random,
                                                          const DeviceOptions& where = {});

}  // namespace cadre
