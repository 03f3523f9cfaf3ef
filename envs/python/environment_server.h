// Environments of this process for another one, which steps them through shared memory: for
// python/cadre/vector_env.py.
#pragma once

#include "absl/status/status.h"
#include "envs/python/line_socket.h"
#include "envs/vector_environment.h"

namespace cadre {

// Sends the other end of `control` what `environments` are, and does what it asks for until it
// goes away. `memory`: a file that both have; it is made as long as it has to be. What the other
// end does wrong is answered with an error. RESOURCE_EXHAUSTED without memory.
absl::Status ServeEnvironments(VectorEnvironment& environments, LineSocket& control, int memory);

// Says that there are none.
void RefuseEnvironments(const absl::Status& status, LineSocket& control);

}  // namespace cadre
