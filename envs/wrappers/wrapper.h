// What stands between an environment and the agent, and is an environment itself.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "envs/vector_environment.h"

namespace cadre {

// Passes everything on; each wrapper overrides what it changes. Step and StepSome are one:
// wrappers override Advance.
class EnvironmentWrapper : public VectorEnvironment {
 public:
  EnvironmentWrapper(std::unique_ptr<VectorEnvironment> inner, EnvironmentSpec spec)
      : inner_(std::move(inner)), spec_(std::move(spec)) {}

  const EnvironmentSpec& spec() const final { return spec_; }
  int64_t count() const final { return inner_->count(); }

  absl::Status Reset(uint64_t seed) override { return inner_->Reset(seed); }
  absl::Status Step(absl::Span<const std::byte> actions) final { return Advance(actions, {}); }
  absl::Status StepSome(absl::Span<const std::byte> actions,
                        absl::Span<const uint8_t> stepped) final {
    return Advance(actions, stepped);
  }
  absl::Status Restart(absl::Span<const uint8_t> restarted) override {
    return inner_->Restart(restarted);
  }
  absl::Status SetState(int64_t index, absl::Span<const double> state) override {
    return inner_->SetState(index, state);
  }

  ShownBlocks observations() const override { return inner_->observations(); }
  ShownBlocks final_observations() const override { return inner_->final_observations(); }
  absl::Span<const float> rewards() const override { return inner_->rewards(); }
  absl::Span<const uint8_t> terminated() const override { return inner_->terminated(); }
  absl::Span<const uint8_t> truncated() const override { return inner_->truncated(); }
  absl::Span<const uint8_t> skipped() const override { return inner_->skipped(); }
  void Stop() override { inner_->Stop(); }
  std::vector<std::string> TakeFaults() override { return inner_->TakeFaults(); }

 protected:
  // `stepped` empty: all of them.
  virtual absl::Status Advance(absl::Span<const std::byte> actions,
                               absl::Span<const uint8_t> stepped) {
    return AdvanceInner(actions, stepped);
  }
  absl::Status AdvanceInner(absl::Span<const std::byte> actions,
                            absl::Span<const uint8_t> stepped) {
    return stepped.empty() ? inner_->Step(actions) : inner_->StepSome(actions, stepped);
  }
  bool ended(size_t i) const { return inner_->terminated()[i] | inner_->truncated()[i]; }
  bool skips(size_t i) const { return !inner_->skipped().empty() && inner_->skipped()[i]; }
  VectorEnvironment& inner() { return *inner_; }
  const VectorEnvironment& inner() const { return *inner_; }

 private:
  const std::unique_ptr<VectorEnvironment> inner_;
  const EnvironmentSpec spec_;
};

}  // namespace cadre
