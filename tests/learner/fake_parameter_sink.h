// A ParameterSink that remembers what it was given.
#pragma once

#include <utility>
#include <vector>

#include "common/ports.h"

namespace cadre {

class FakeParameterSink final : public ParameterSink {
 public:
  absl::Status Publish(ParametersPtr parameters) override {
    published.push_back(std::move(parameters));
    return absl::OkStatus();
  }
  absl::Status SetRunState(v1::RunState new_state) override {
    state = new_state;
    return absl::OkStatus();
  }
  void Close() override {}

  std::vector<ParametersPtr> published;
  v1::RunState state = v1::RUN_STATE_RUNNING;
};

}  // namespace cadre
