// Collects problems so that a user sees all of them at once, one line each.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_join.h"

namespace cadre {

class ErrorList {
 public:
  void Add(std::string line) { lines_.push_back(std::move(line)); }
  size_t size() const { return lines_.size(); }

  // INVALID_ARGUMENT with every line; OK where there is none.
  absl::Status ToStatus() const {
    if (lines_.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrJoin(lines_, "\n"));
  }

 private:
  std::vector<std::string> lines_;
};

}  // namespace cadre
