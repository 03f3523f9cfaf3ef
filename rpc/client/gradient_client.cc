#include "rpc/client/gradient_client.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

// Handing over can meet a restart of its own; a server that forgets that often is broken.
constexpr int kMostHandOvers = 8;

uint64_t RandomLearnerId() {
  absl::BitGen random;
  return absl::Uniform<uint64_t>(random, 1, std::numeric_limits<uint64_t>::max());
}

// The server has less than it was seen to have.
bool LostSomething(const absl::Status& status) {
  return absl::IsNotFound(status) || absl::IsOutOfRange(status);
}

using PushedSequences = google::protobuf::RepeatedPtrField<v1::PushedSequence>;

// Whether `answer` has fewer steps of any learner than `known`. A server that remembers as many
// learners as it can may have forgotten one whose steps it has counted.
bool LacksSteps(const PushedSequences& answer, const PushedSequences& known) {
  if (answer.size() >= static_cast<int>(kMostPushingLearners)) return false;
  absl::flat_hash_map<uint64_t, int64_t> counted;
  for (const v1::PushedSequence& learner : answer)
    counted[learner.learner_id()] = learner.env_steps();
  return std::any_of(known.begin(), known.end(), [&](const v1::PushedSequence& learner) {
    const auto found = counted.find(learner.learner_id());
    return (found == counted.end() ? 0 : found->second) < learner.env_steps();
  });
}

}  // namespace

absl::StatusOr<std::unique_ptr<RemoteGradientSink>> RemoteGradientSink::Create(
    const GradientClientOptions& options) {
  CADRE_ASSIGN_OR_RETURN(std::shared_ptr<grpc::Channel> channel,
                         MakeChannel(options.address, options.channel));
  return std::unique_ptr<RemoteGradientSink>(new RemoteGradientSink(options, channel));
}

RemoteGradientSink::RemoteGradientSink(const GradientClientOptions& options,
                                       const std::shared_ptr<grpc::Channel>& channel)
    : options_(options),
      peer_(absl::StrCat("parameter server at ", options.address)),
      learner_id_(RandomLearnerId()),
      stub_(v1::ParameterService::NewStub(channel)) {}

RemoteGradientSink::~RemoteGradientSink() { Close(); }

void RemoteGradientSink::Close() { calls_.Close(); }

template <typename Attempt>
absl::Status RemoteGradientSink::Call(Attempt attempt) {
  if (calls_.closed()) return absl::CancelledError("the gradient sink is closed");
  return CallWithRetry(calls_, options_.retry, peer_, attempt);
}

absl::StatusOr<ParametersPtr> RemoteGradientSink::Start(v1::SharedModel model) {
  absl::MutexLock lock(&mutex_);
  Known known;
  const std::string name = model.parameters().model();
  known.newest = std::make_shared<v1::Parameters>(std::move(*model.mutable_parameters()));
  model.clear_parameters();
  known.model = std::move(model);
  CADRE_RETURN_IF_ERROR(HandOver(known));
  Known& stored = known_[name];
  known.pushed_steps = stored.pushed_steps;
  stored = std::move(known);
  return stored.newest;
}

absl::Status RemoteGradientSink::HandOver(Known& known) {
  v1::StartModelRequest request;
  request.set_run_id(options_.run_id);
  *request.mutable_model() = known.model;
  *request.mutable_model()->mutable_parameters() = *known.newest;
  const auto response = std::make_shared<v1::StartModelResponse>();
  CADRE_RETURN_IF_ERROR(Call([&](grpc::ClientContext& context) {
    return stub_->StartModel(&context, request, response.get());
  }));
  if (response->parameters().version() < 1)
    return absl::InternalError(absl::StrCat(peer_, ": a started model without a version"));
  known.newest = ParametersPtr(response, &response->parameters());
  *known.model.mutable_pushed() = response->pushed();
  return absl::OkStatus();
}

absl::StatusOr<PushedGradient> RemoteGradientSink::Push(v1::Gradient gradient) {
  absl::MutexLock lock(&mutex_);
  const auto found = known_.find(gradient.model());
  if (found == known_.end()) {
    return absl::FailedPreconditionError(
        absl::StrCat("a gradient for model '", gradient.model(), "', which was not started"));
  }
  Known& known = found->second;
  v1::PushGradientRequest request;
  request.set_run_id(options_.run_id);
  *request.mutable_gradient() = std::move(gradient);
  request.mutable_gradient()->set_learner_id(learner_id_);
  request.mutable_gradient()->set_sequence(++sequence_);
  known.pushed_steps += request.gradient().env_steps();
  request.mutable_gradient()->set_all_env_steps(known.pushed_steps);
  absl::StatusOr<PushedGradient> pushed = PushOnce(request, known);
  for (int i = 0; i < kMostHandOvers && LostSomething(pushed.status()); ++i) {
    spdlog::warn("{}; handing over version {} of '{}'", std::string(pushed.status().message()),
                 known.newest->version(), known.newest->model());
    CADRE_RETURN_IF_ERROR(HandOver(known));
    pushed = PushOnce(request, known);
  }
  if (pushed.ok()) RefreshOptimizer(known);
  return pushed;
}

absl::StatusOr<PushedGradient> RemoteGradientSink::PushOnce(const v1::PushGradientRequest& request,
                                                            Known& known) {
  const auto response = std::make_shared<v1::PushGradientResponse>();
  CADRE_RETURN_IF_ERROR(Call([&](grpc::ClientContext& context) {
    return stub_->PushGradient(&context, request, response.get());
  }));
  if (LacksSteps(response->pushed(), known.model.pushed())) {
    spdlog::warn("{} lost steps of '{}' that it had counted; handing them over", peer_,
                 known.newest->model());
    CADRE_RETURN_IF_ERROR(HandOver(known));
  } else {
    known.newest = ParametersPtr(response, &response->parameters());
    *known.model.mutable_pushed() = response->pushed();
  }
  return PushedGradient{response->applied(), response->lag(), known.newest};
}

void RemoteGradientSink::RefreshOptimizer(Known& known) {
  if (MonotonicTime::Now() < known.optimizer_fetched + options_.optimizer_period) return;
  known.optimizer_fetched = MonotonicTime::Now();
  absl::StatusOr<v1::SharedModel> fetched = FetchOnce(known.newest->model());
  if (fetched.ok()) {
    *known.model.mutable_optimizer_state() = std::move(*fetched->mutable_optimizer_state());
  } else if (!calls_.closed()) {
    spdlog::warn("no optimiser state: {}", std::string(fetched.status().message()));
  }
}

absl::StatusOr<v1::SharedModel> RemoteGradientSink::FetchOnce(const std::string& model) {
  v1::FetchModelRequest request;
  request.set_run_id(options_.run_id);
  request.set_model(model);
  v1::FetchModelResponse response;
  CADRE_RETURN_IF_ERROR(Call([&](grpc::ClientContext& context) {
    return stub_->FetchModel(&context, request, &response);
  }));
  return std::move(*response.mutable_model());
}

absl::StatusOr<v1::SharedModel> RemoteGradientSink::Fetch(const std::string& model) {
  absl::StatusOr<v1::SharedModel> fetched = FetchOnce(model);
  if (!fetched.ok() && !absl::IsNotFound(fetched.status())) return fetched;
  absl::MutexLock lock(&mutex_);
  const auto found = known_.find(model);
  if (found == known_.end()) return fetched;
  Known& known = found->second;
  if (fetched.ok() && !LacksSteps(fetched->pushed(), known.model.pushed())) return fetched;
  CADRE_RETURN_IF_ERROR(HandOver(known));
  return FetchOnce(model);
}

}  // namespace cadre
