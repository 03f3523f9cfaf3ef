// What an update tells about itself: numbers for people, and which part it is in.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace cadre {

// Names are stable: they are columns of progress.csv. "policy_loss", "approx_kl", ...
using Diagnostics = std::vector<std::pair<std::string, double>>;

// The parts of an update, for whoever measures where its time goes.
enum class UpdatePart { kPrepare, kForward, kLoss, kBackward, kOptimize };

// Told when each part begins; whether and how it measures is its own business.
class UpdateListener {
 public:
  virtual ~UpdateListener() = default;
  virtual void Enter(UpdatePart part) = 0;
};

}  // namespace cadre
