// What an update tells about itself: numbers for people, and which part it is in.
#pragma once

#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace cadre {

// Names are stable: they are columns of progress.csv. "policy_loss", "approx_kl", ...
using Diagnostics = std::vector<std::pair<std::string, double>>;
using DiagnosticNames = std::vector<std::string>;

inline DiagnosticNames NamesOf(const Diagnostics& diagnostics) {
  DiagnosticNames names;
  for (const auto& [name, value] : diagnostics) names.push_back(name);
  return names;
}

// Every one of `names`, in their order, with its number in `measured`, or NaN without one.
inline Diagnostics UnderNames(const DiagnosticNames& names, const Diagnostics& measured) {
  Diagnostics all;
  for (const std::string& name : names) {
    all.emplace_back(name, std::numeric_limits<double>::quiet_NaN());
    for (const auto& [measured_name, value] : measured)
      if (measured_name == name) all.back().second = value;
  }
  return all;
}

// The parts of an update, for whoever measures where its time goes.
enum class UpdatePart { kPrepare, kForward, kLoss, kBackward, kOptimize };

// Told when each part begins; whether and how it measures is its own business.
class UpdateListener {
 public:
  virtual ~UpdateListener() = default;
  virtual void Enter(UpdatePart part) = 0;
};

}  // namespace cadre
