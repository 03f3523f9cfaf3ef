// The parameter ports of an embedded run: bound straight to a ParameterStore in the
// same process. Nothing is copied or serialised.
#pragma once

#include <atomic>
#include <string>

#include "common/ports.h"
#include "param_server/parameter_store.h"

namespace cadre {

class StoreSource final : public ParameterSource {
 public:
  // `store` must outlive it.
  StoreSource(ParameterStore* store, std::string model);

  ParametersPtr Newest() override;
  absl::StatusOr<ParametersPtr> WaitNewer(int64_t version, absl::Time deadline) override;
  v1::RunState run_state() override;
  void Close() override;

 private:
  ParameterStore* const store_;
  const std::string model_;
  std::atomic<bool> closed_ = false;
};

class StoreSink final : public ParameterSink {
 public:
  // `store` must outlive it.
  explicit StoreSink(ParameterStore* store);

  absl::Status Publish(ParametersPtr parameters) override;
  absl::Status SetRunState(v1::RunState state) override;
  void Close() override;  // Later calls are CANCELLED; the store stays open.

 private:
  ParameterStore* const store_;
  std::atomic<bool> closed_ = false;
};

}  // namespace cadre
