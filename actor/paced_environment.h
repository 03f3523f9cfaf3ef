// An environment that is as slow as asked for, whatever it computes: to try a cluster, or
// to see what holds it back, before the real environment is there. The one place where
// stepping knows a clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/process/event.h"
#include "envs/vector_environment.h"

namespace cadre {

class PacedEnvironment final : public VectorEnvironment {
 public:
  // Each Step of the whole batch takes `step` at least.
  PacedEnvironment(std::unique_ptr<VectorEnvironment> environment, std::chrono::nanoseconds step)
      : environment_(std::move(environment)), step_(step) {}

  const EnvironmentSpec& spec() const override { return environment_->spec(); }
  int64_t count() const override { return environment_->count(); }
  absl::Status Reset(uint64_t seed) override { return environment_->Reset(seed); }
  absl::Status Step(absl::Span<const std::byte> actions) override;

  void Stop() override {
    stopped_.Notify();
    environment_->Stop();
  }
  std::vector<std::string> TakeFaults() override { return environment_->TakeFaults(); }

  ShownBlocks observations() const override { return environment_->observations(); }
  ShownBlocks final_observations() const override { return environment_->final_observations(); }
  absl::Span<const float> rewards() const override { return environment_->rewards(); }
  absl::Span<const uint8_t> terminated() const override { return environment_->terminated(); }
  absl::Span<const uint8_t> truncated() const override { return environment_->truncated(); }
  absl::Span<const uint8_t> skipped() const override { return environment_->skipped(); }

 private:
  const std::unique_ptr<VectorEnvironment> environment_;
  const std::chrono::nanoseconds step_;
  Event stopped_;
};

}  // namespace cadre
