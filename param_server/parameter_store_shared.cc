// The shared models of a ParameterStore, and its snapshots.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/status_macros.h"
#include "param_server/parameter_store.h"
#include "param_server/sound_parameters.h"

namespace cadre {

absl::Status ParameterStore::CheckTakesGradients() const {
  if (closed_) return absl::UnavailableError("the parameter store is closed");
  if (run_state_ == v1::RUN_STATE_FINISHED) {
    return absl::FailedPreconditionError(absl::StrCat("run '", run_id_, "' is FINISHED"));
  }
  return absl::OkStatus();
}

std::shared_ptr<ModelUpdater> ParameterStore::Find(absl::string_view model) const {
  absl::MutexLock lock(&mutex_);
  const auto found = models_.find(model);
  return found == models_.end() ? nullptr : found->second.updater;
}

absl::StatusOr<std::shared_ptr<ModelUpdater>> ParameterStore::FindForLearner(
    absl::string_view model) const {
  absl::MutexLock lock(&mutex_);
  CADRE_RETURN_IF_ERROR(CheckTakesGradients());
  const auto found = models_.find(model);
  if (found != models_.end() && found->second.updater != nullptr) return found->second.updater;
  return absl::NotFoundError(absl::StrCat("no shared model '", model, "' was started here"));
}

void ParameterStore::Install(const ParametersPtr& parameters) {
  ParametersPtr previous;  // Let go after the lock.
  absl::MutexLock lock(&mutex_);
  Model& model = models_[parameters->model()];
  previous = std::exchange(model.newest, parameters);
  if (previous == nullptr || previous->version() != parameters->version()) ++model.publications;
}

void ParameterStore::WakeWaiters() {
  std::vector<Waiter*> waiters;
  {
    absl::MutexLock lock(&mutex_);
    waiters = TakeWaiters();
  }
  for (Waiter* waiter : waiters) waiter->OnChange();
}

absl::StatusOr<ModelUpdater::Newest> ParameterStore::StartModel(const v1::SharedModel& model) {
  CADRE_RETURN_IF_ERROR(CheckSound(model.parameters()));
  const std::string& name = model.parameters().model();
  std::shared_ptr<ModelUpdater> updater = Find(name);
  std::shared_ptr<ModelUpdater> made;  // Outside the lock: it is large.
  ParametersPtr first;                 // Too: an updater is locked before the store.
  if (updater == nullptr) {
    CADRE_ASSIGN_OR_RETURN(made, ModelUpdater::Create(model));
    first = made->newest();
  }
  {
    absl::MutexLock lock(&mutex_);
    CADRE_RETURN_IF_ERROR(CheckTakesGradients());
    Model& stored = models_[name];
    if (stored.newest == nullptr) {
      stored.updater = std::move(made);
      stored.newest = std::move(first);
      ++stored.publications;
    }
    updater = stored.updater;
  }
  if (updater == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("model '", name, "' is published here, not shared"));
  }
  CADRE_ASSIGN_OR_RETURN(ModelUpdater::Newest newest,
                         updater->TakeOver(model, [this](const ParametersPtr& p) { Install(p); }));
  WakeWaiters();
  return newest;
}

absl::StatusOr<ModelUpdater::Pushed> ParameterStore::PushGradient(const v1::Gradient& gradient) {
  CADRE_ASSIGN_OR_RETURN(const auto updater, FindForLearner(gradient.model()));
  absl::StatusOr<ModelUpdater::Pushed> pushed =
      updater->Push(gradient, [this](const ParametersPtr& p) { Install(p); });
  if (pushed.ok() && pushed->outcome == ModelUpdater::Outcome::kApplied) WakeWaiters();
  return pushed;
}

absl::StatusOr<v1::SharedModel> ParameterStore::FetchModel(absl::string_view model) const {
  const std::shared_ptr<ModelUpdater> updater = Find(model);
  if (updater != nullptr) return updater->Save();
  return absl::NotFoundError(absl::StrCat("no shared model '", model, "' was started here"));
}

ParameterStore::Snapshot ParameterStore::Save() const {
  Snapshot snapshot;
  for (v1::ModelInfo& info : Models()) {
    v1::StoredModel& stored = snapshot.models.emplace_back();
    const std::shared_ptr<ModelUpdater> updater = Find(info.model());
    if (updater != nullptr)
      *stored.mutable_model() = updater->Save();
    else
      *stored.mutable_model()->mutable_parameters() = *Read(info.model()).newest;
    *stored.mutable_info() = std::move(info);
  }
  snapshot.run.set_run_id(run_id_);
  snapshot.run.set_run_state(Read("").run_state);
  return snapshot;
}

absl::Status ParameterStore::Restore(const Snapshot& snapshot) {
  CADRE_RETURN_IF_ERROR(CheckRunId(snapshot.run.run_id()));
  if (snapshot.run.run_state() == v1::RUN_STATE_UNSPECIFIED)
    return absl::DataLossError("a snapshot without a run state");
  absl::flat_hash_map<std::string, Model> models;
  for (const v1::StoredModel& stored : snapshot.models) {
    const v1::Parameters& parameters = stored.model().parameters();
    if (const absl::Status status = CheckSound(parameters); !status.ok())
      return absl::DataLossError(status.message());
    Model& model = models[parameters.model()];
    model.publications = stored.info().publications();
    if (!stored.info().shared()) {
      model.newest = std::make_shared<v1::Parameters>(parameters);
      continue;
    }
    absl::StatusOr<std::unique_ptr<ModelUpdater>> updater = ModelUpdater::Create(stored.model());
    if (!updater.ok()) return absl::DataLossError(updater.status().message());
    model.updater = *std::move(updater);
    model.updater->RestoreCounters(stored.info());
    model.newest = model.updater->newest();
  }
  absl::MutexLock lock(&mutex_);
  CADRE_CHECK(models_.empty());
  models_ = std::move(models);
  run_state_ = snapshot.run.run_state();
  return absl::OkStatus();
}

}  // namespace cadre
