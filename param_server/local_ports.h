// The parameter ports of an embedded run: bound straight to a ParameterStore in the
// same process. Nothing is copied or serialised.
#pragma once

#include <atomic>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/ports.h"
#include "param_server/parameter_store.h"

namespace cadre {

class StoreSource final : public ParameterSource {
 public:
  // `store` must outlive it.
  StoreSource(ParameterStore* store, std::string model);

  ParametersPtr Newest() override;
  absl::StatusOr<ParametersPtr> WaitNewer(int64_t version, absl::Duration timeout) override;
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

// One learner of the models that the store moves.
class LocalGradientSink final : public GradientSink {
 public:
  // `store` must outlive it.
  explicit LocalGradientSink(ParameterStore* store);

  absl::StatusOr<ParametersPtr> Start(v1::SharedModel model) override;
  absl::StatusOr<PushedGradient> Push(v1::Gradient gradient) override;
  absl::StatusOr<v1::SharedModel> Fetch(const std::string& model) override;
  void Close() override;  // Later calls are CANCELLED; the store stays open.

 private:
  ParameterStore* const store_;
  const uint64_t learner_id_;  // In this process.
  std::atomic<bool> closed_ = false;
  absl::Mutex mutex_;  // Sequences reach the store in their order.
  uint64_t sequence_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace cadre
