#include "param_server/local_ports.h"

#include <utility>

#include "common/status_macros.h"

namespace cadre {

StoreSource::StoreSource(ParameterStore* store, std::string model)
    : store_(store), model_(std::move(model)) {}

ParametersPtr StoreSource::Newest() { return store_->Read(model_).newest; }

absl::StatusOr<ParametersPtr> StoreSource::WaitNewer(int64_t version, absl::Duration timeout) {
  return store_->WaitNewer(model_, version, timeout, &closed_);
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

namespace {

uint64_t NextLearnerId() {
  static std::atomic<uint64_t> last = 0;
  return ++last;
}

absl::Status ClosedSink() { return absl::CancelledError("the gradient sink is closed"); }

}  // namespace

LocalGradientSink::LocalGradientSink(ParameterStore* store)
    : store_(store), learner_id_(NextLearnerId()) {}

absl::StatusOr<ParametersPtr> LocalGradientSink::Start(v1::SharedModel model) {
  if (closed_) return ClosedSink();
  CADRE_ASSIGN_OR_RETURN(ModelUpdater::Newest newest, store_->StartModel(model));
  return std::move(newest.parameters);
}

absl::StatusOr<PushedGradient> LocalGradientSink::Push(v1::Gradient gradient) {
  if (closed_) return ClosedSink();
  absl::MutexLock lock(&mutex_);
  gradient.set_learner_id(learner_id_);
  gradient.set_sequence(++sequence_);
  CADRE_ASSIGN_OR_RETURN(ModelUpdater::Pushed pushed, store_->PushGradient(gradient));
  return std::move(pushed.gradient);
}

absl::StatusOr<v1::SharedModel> LocalGradientSink::Fetch(const std::string& model) {
  if (closed_) return ClosedSink();
  return store_->FetchModel(model);
}

void LocalGradientSink::Close() { closed_ = true; }

}  // namespace cadre
