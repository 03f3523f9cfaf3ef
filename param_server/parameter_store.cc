#include "param_server/parameter_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/process/monotonic_time.h"
#include "common/status_macros.h"
#include "google/protobuf/util/message_differencer.h"
#include "param_server/sound_parameters.h"

namespace cadre {
namespace {

// May `next` take the place of `stored`?
absl::Status CheckFollows(const v1::Parameters& stored, const v1::Parameters& next) {
  if (next.version() <= stored.version()) {
    return absl::FailedPreconditionError(absl::StrCat(
        VersionName(next), " is not newer than the stored version ", stored.version()));
  }
  if (next.values().size() != stored.values().size()) {
    return absl::FailedPreconditionError(absl::StrCat(
        VersionName(next), ": ", next.values().size(), " bytes of values; the stored version ",
        stored.version(), " has ", stored.values().size()));
  }
  if (next.layout_fingerprint() != stored.layout_fingerprint()) {
    return absl::FailedPreconditionError(
        absl::StrCat(VersionName(next), ": layout ", absl::Hex(next.layout_fingerprint()),
                     "; the stored version ", stored.version(), " has layout ",
                     absl::Hex(stored.layout_fingerprint())));
  }
  return absl::OkStatus();
}

bool IsRetryOf(const v1::Parameters& stored, const v1::Parameters& next) {
  return next.version() == stored.version() &&
         google::protobuf::util::MessageDifferencer::Equals(stored, next);
}

}  // namespace

ParameterStore::ParameterStore(std::string run_id) : run_id_(std::move(run_id)) {}

absl::Status ParameterStore::CheckRunId(absl::string_view run_id) const {
  if (run_id == run_id_) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("run id '", run_id, "' differs; this server serves run '", run_id_, "'"));
}

absl::Status ParameterStore::Publish(ParametersPtr parameters) {
  CADRE_CHECK(parameters != nullptr);
  CADRE_RETURN_IF_ERROR(CheckSound(*parameters));
  ParametersPtr stored;  // The version before; freed after the lock.
  std::vector<Waiter*> waiters;
  absl::Status status;
  {
    absl::MutexLock lock(&mutex_);
    if (closed_) return absl::UnavailableError("the parameter store is closed");
    Model& model = models_[parameters->model()];
    if (model.updater != nullptr) {
      return absl::FailedPreconditionError(absl::StrCat(
          VersionName(*parameters), ": the model is shared, and moved by gradients alone"));
    }
    stored = model.newest;
    if (stored != nullptr) status = CheckFollows(*stored, *parameters);
    if (status.ok()) {
      model.newest = parameters;
      ++model.publications;
      waiters = TakeWaiters();
    }
  }
  if (!status.ok()) return IsRetryOf(*stored, *parameters) ? absl::OkStatus() : status;
  for (Waiter* waiter : waiters) waiter->OnChange();
  return absl::OkStatus();
}

absl::Status ParameterStore::SetRunState(v1::RunState state) {
  if (state == v1::RUN_STATE_UNSPECIFIED || !v1::RunState_IsValid(state)) {
    return absl::InvalidArgumentError(
        absl::StrCat("run state ", state, "; wanted RUNNING, PAUSED or FINISHED"));
  }
  std::vector<Waiter*> waiters;
  {
    absl::MutexLock lock(&mutex_);
    if (closed_) return absl::UnavailableError("the parameter store is closed");
    if (run_state_ == v1::RUN_STATE_FINISHED && state != v1::RUN_STATE_FINISHED) {
      return absl::FailedPreconditionError(absl::StrCat(
          "run '", run_id_, "' is FINISHED; it cannot become ", v1::RunState_Name(state)));
    }
    run_state_ = state;
    waiters = TakeWaiters();
  }
  for (Waiter* waiter : waiters) waiter->OnChange();
  return absl::OkStatus();
}

ParameterStore::View ParameterStore::Read(absl::string_view model) const {
  absl::MutexLock lock(&mutex_);
  return ReadLocked(model);
}

ParameterStore::View ParameterStore::ReadLocked(absl::string_view model) const {
  const auto found = models_.find(model);
  return {found == models_.end() ? nullptr : found->second.newest, run_state_, closed_};
}

absl::StatusOr<ParametersPtr> ParameterStore::WaitNewer(absl::string_view model, int64_t version,
                                                        absl::Duration timeout,
                                                        const std::atomic<bool>* cancelled) const {
  View view;
  const auto newer = [&] {
    return view.run_state == v1::RUN_STATE_RUNNING && view.newest != nullptr &&
           view.newest->version() > version;
  };
  const auto ready = [&] {
    mutex_.AssertReaderHeld();
    view = ReadLocked(model);
    view.closed = view.closed || (cancelled != nullptr && *cancelled);
    return view.closed || view.run_state == v1::RUN_STATE_FINISHED || newer();
  };
  {
    absl::MutexLock lock(&mutex_);
    AwaitFor(mutex_, absl::Condition(&ready), timeout);
  }
  if (view.closed) return absl::CancelledError("the parameter store is closed");
  if (view.run_state == v1::RUN_STATE_FINISHED) {
    return absl::FailedPreconditionError(absl::StrCat("run '", run_id_, "' is FINISHED"));
  }
  if (newer()) return view.newest;
  return absl::DeadlineExceededError(
      absl::StrCat("no version of '", model, "' newer than ", version, " in time; the newest is ",
                   view.newest == nullptr ? 0 : view.newest->version()));
}

void ParameterStore::WakeWaits() {
  absl::MutexLock lock(&mutex_);  // Whoever unlocks evaluates the conditions of those who wait.
}

bool ParameterStore::IsMet(const Interest& interest) const {
  const View view = ReadLocked(interest.model);
  return view.closed || view.run_state != interest.state ||
         (view.newest != nullptr && view.newest->version() > interest.version);
}

std::vector<ParameterStore::Waiter*> ParameterStore::TakeWaiters() {
  std::vector<Waiter*> taken;
  for (auto at = waiters_.begin(); at != waiters_.end();) {
    const auto next = std::next(at);
    if (IsMet(at->second)) {
      taken.push_back(at->first);
      waiters_.erase(at);
    }
    at = next;
  }
  return taken;
}

bool ParameterStore::AddWaiter(Waiter* waiter, absl::string_view model, int64_t version,
                               v1::RunState state) {
  Interest interest{std::string(model), version, state};
  absl::MutexLock lock(&mutex_);
  if (IsMet(interest)) return false;
  const bool added = waiters_.emplace(waiter, std::move(interest)).second;
  CADRE_CHECK(added);
  return true;
}

bool ParameterStore::RemoveWaiter(Waiter* waiter) {
  absl::MutexLock lock(&mutex_);
  return waiters_.erase(waiter) > 0;
}

void ParameterStore::Close() {
  std::vector<Waiter*> waiters;
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
    waiters = TakeWaiters();
  }
  for (Waiter* waiter : waiters) waiter->OnChange();
}

std::vector<v1::ModelInfo> ParameterStore::Models() const {
  std::vector<v1::ModelInfo> infos;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [name, model] : models_) {
      v1::ModelInfo& info = infos.emplace_back();
      info.set_model(name);
      info.set_version(model.newest->version());
      info.set_bytes(static_cast<int64_t>(model.newest->values().size()));
      info.set_publications(model.publications);
      info.set_env_steps(model.newest->env_steps());
      if (model.updater != nullptr) model.updater->SaveCounters(info);
    }
  }
  std::sort(infos.begin(), infos.end(),
            [](const v1::ModelInfo& a, const v1::ModelInfo& b) { return a.model() < b.model(); });
  return infos;
}

}  // namespace cadre
