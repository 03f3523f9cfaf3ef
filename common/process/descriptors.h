// How many file descriptors this process may have open, and how near it is to that. Those
// that it needs itself, for files, metrics and calls of its own, are a reserve: servers take
// no connection that would use them up, as a process without a single descriptor can neither
// save nor say what is wrong. Any thread may call.
//
// The kernel gives whoever opens something the lowest number that is free. So a number says
// that all below it are taken, and nothing has to be counted.
#pragma once

#include "absl/status/status.h"

namespace cadre {

// Raises the soft limit to the hard one, as much as an unprivileged process may. For the
// beginning of main: many systems start processes with 1024, and allow half a million.
void RaiseDescriptorLimit();

struct DescriptorLimits {
  int limit;    // The soft limit: every number is below it.
  int reserve;  // So many of the highest are not for connections.

  // The first number that is not for connections.
  int first_reserved() const { return limit - reserve; }
};

// As they are now: another process may change them.
DescriptorLimits CurrentDescriptorLimits();

// RESOURCE_EXHAUSTED while the next connection would get a number of the reserve, with the
// limit and what to do about it.
absl::Status CheckDescriptors();

}  // namespace cadre
