// CADRE_CHECK: ends the process where one of our own invariants is broken. Not
// for what a peer, a file or a user can cause: that is an absl::Status.
#pragma once

#include <cstdio>
#include <cstdlib>

#define CADRE_CHECK(condition)                                                           \
  do {                                                                                   \
    if (!(condition)) [[unlikely]] {                                                     \
      std::fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                      \
    }                                                                                    \
  } while (false)
