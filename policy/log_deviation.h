// The bounds that a Gaussian policy's log deviations are clamped to (Haarnoja et al. 2018,
// arXiv:1812.05905), where it learns and where it acts; see ContinuousPolicyNetwork.
#pragma once

namespace cadre {

inline constexpr double kMinLogDeviation = -20;
inline constexpr double kMaxLogDeviation = 2;

}  // namespace cadre
