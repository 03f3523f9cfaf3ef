// Which algorithms may learn from experience that a policy older than the newest made: with
// actors that do not wait for updates, or that lag behind on purpose. Pure.
#pragma once

#include "common/config/error_list.h"
#include "proto/config.pb.h"

namespace cadre {

// True for those that weight each step by pi/mu, with the probability mu that its actor
// recorded, such as ppo and impala, and for those that learn from replay. The others' gradient
// is that of the policy that acted.
bool LearnsFromStaleExperience(const ExperimentConfig& config);

// actors.mode ASYNCHRONOUS and actors.delay_versions need such an algorithm. REINFORCE weights
// its steps, too, but asynchronous actors lose rollouts that are too old, and of whole
// episodes the long ones first.
void CheckStaleExperience(const ExperimentConfig& config, ErrorList* errors);

}  // namespace cadre
