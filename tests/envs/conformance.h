// What every environment must do, whatever its task. For tests.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "envs/environment.h"

namespace cadre {

using EnvironmentFactory = std::function<std::unique_ptr<Environment>()>;

// Each way in which the environment breaks the contract of envs/environment.h, in
// words; empty where it keeps it. Plays a few thousand random steps.
std::vector<std::string> ConformanceViolations(const EnvironmentFactory& make, int steps = 3000);

// Fails the running test with those.
void CheckConformance(const EnvironmentFactory& make, int steps = 3000);

}  // namespace cadre
