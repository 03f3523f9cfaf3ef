#include "param_server/local_ports.h"

#include <utility>

namespace cadre {

StoreSource::StoreSource(ParameterStore* store, std::string model)
    : store_(store), model_(std::move(model)) {}

ParametersPtr StoreSource::Newest() { return store_->Read(model_).newest; }

absl::StatusOr<ParametersPtr> StoreSource::WaitNewer(int64_t version, absl::Time deadline) {
  return store_->WaitNewer(model_, version, deadline, &closed_);
}

v1::RunState StoreSource::run_state() { return store_->Read(model_).run_state; }

void StoreSource::Close() {
  closed_ = true;
  store_->WakeWaits();
}

StoreSink::StoreSink(ParameterStore* store) : store_(store) {}

absl::Status StoreSink::Publish(ParametersPtr parameters) {
  if (closed_) return absl::CancelledError("the parameter sink is closed");
  return store_->Publish(std::move(parameters));
}

absl::Status StoreSink::SetRunState(v1::RunState state) {
  if (closed_) return absl::CancelledError("the parameter sink is closed");
  return store_->SetRunState(state);
}

void StoreSink::Close() { closed_ = true; }

}  // namespace cadre
