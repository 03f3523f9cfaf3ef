// Early return of absl::Status errors.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define CADRE_RETURN_IF_ERROR(expression)                                   \
  do {                                                                      \
    if (absl::Status status_ = (expression); !status_.ok()) return status_; \
  } while (false)

#define CADRE_MACRO_CONCAT_INNER(a, b) a##b
#define CADRE_MACRO_CONCAT(a, b) CADRE_MACRO_CONCAT_INNER(a, b)

// CADRE_ASSIGN_OR_RETURN(auto x, F()): `x` is F's value, or F's error is returned.
#define CADRE_ASSIGN_OR_RETURN(lhs, expression) \
  CADRE_ASSIGN_OR_RETURN_INNER(CADRE_MACRO_CONCAT(status_or_, __LINE__), lhs, expression)
#define CADRE_ASSIGN_OR_RETURN_INNER(status_or, lhs, expression) \
  auto status_or = (expression);                                 \
  if (!status_or.ok()) return std::move(status_or).status();     \
  lhs = *std::move(status_or)
