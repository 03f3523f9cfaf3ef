#include "learner/algorithms/optimization/trained_model.h"

#include <numeric>
#include <utility>

#include "common/status_macros.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "learner/algorithms/optimization/polyak.h"
#include "policy/observation_batch.h"

namespace cadre {
namespace {

std::unique_ptr<Model> MakeWith(const Network& network, const std::vector<float>& initial,
                                const DeviceOptions& where) {
  std::unique_ptr<Model> model = MakeModel(network, where.runner(), where.device);
  model->parameters().copy_(torch::tensor(initial));
  model->ParametersChanged();
  return model;
}

std::unique_ptr<Pass> PassToAll(Model* model, Direction direction) {
  if (model == nullptr) return nullptr;
  std::vector<int> heads(model->network().heads.size());
  std::iota(heads.begin(), heads.end(), 0);
  return model->NewPass(std::move(heads), direction);
}

void SaveVector(const std::string& name, const torch::Tensor& vector, TensorMap& state) {
  const torch::Tensor values = vector.cpu();
  state.Add<float>(name, {values.numel()}, Flat(values));
}

// In place: a recorded graph knows the vector by its address.
absl::Status RestoreModel(const std::string& name, const TensorMap& state, Model& model) {
  const torch::Tensor values = torch::empty({model.parameters().numel()});
  const absl::Status status = state.Read(name, Flat(values));
  if (!status.ok()) return absl::DataLossError(status.message());
  model.parameters().copy_(values);
  model.ParametersChanged();
  return absl::OkStatus();
}

}  // namespace

TrainedModel::TrainedModel(const Network& network, const std::vector<float>& initial,
                           const Settings& settings, Target target, const DeviceOptions& where)
    : online_(MakeWith(network, initial, where)),
      target_(target == Target::kNone ? nullptr : MakeWith(network, initial, where)),
      online_pass_(PassToAll(online_.get(), Direction::kForwardAndBackward)),
      target_pass_(PassToAll(target_.get(), Direction::kForward)),
      max_gradient_norm_(settings.max_gradient_norm),
      adam_(static_cast<int64_t>(initial.size()), settings.adam, where),
      host_(online_->parameters()) {}

const std::vector<torch::Tensor>& TrainedModel::Forward(absl::Span<const torch::Tensor> inputs) {
  return online_pass_->Forward(inputs);
}

const std::vector<torch::Tensor>& TrainedModel::TargetForward(
    absl::Span<const torch::Tensor> inputs) {
  return target_pass_->Forward(inputs);
}

void TrainedModel::Backward(absl::Span<const torch::Tensor> head_gradients) {
  online_->gradient().zero_();
  online_pass_->Backward(head_gradients);
}

torch::Tensor TrainedModel::InputGradient(absl::Span<const torch::Tensor> head_gradients,
                                          int input) {
  return online_pass_->InputGradient(head_gradients, input);
}

void TrainedModel::Step() {
  norm_ = max_gradient_norm_ > 0 ? FlatNorm(gradient()) : torch::Tensor();
  adam_.Step(online_->parameters(), gradient(), norm_, max_gradient_norm_);
  online_->ParametersChanged();
  host_.Stale();
}

double TrainedModel::GradientNorm() const {
  return (norm_.defined() ? norm_ : FlatNorm(gradient())).item<double>();
}

void TrainedModel::MoveTarget(double rate) {
  const torch::Tensor online = online_->parameters(), target = target_->parameters();
  if (target.device().is_cpu())
    FollowByPolyak(Flat(online), static_cast<float>(rate), Flat(target));
  else
    target.lerp_(online, rate);
  target_->ParametersChanged();
}

void TrainedModel::HostParametersChanged() {
  host_.Push();
  online_->ParametersChanged();
}

void TrainedModel::Save(const Names& names, TensorMap& state) const {
  adam_.Save(names.adam, state);
  if (target_ != nullptr) SaveVector(names.target, target_->parameters(), state);
}

absl::Status TrainedModel::Restore(const Names& names, const TensorMap& state) {
  CADRE_RETURN_IF_ERROR(adam_.Restore(names.adam, state));
  if (target_ == nullptr) return absl::OkStatus();
  return RestoreModel(names.target, state, *target_);
}

void TrainedModel::SaveParameters(const std::string& name, TensorMap& state) const {
  SaveVector(name, online_->parameters(), state);
}

absl::Status TrainedModel::RestoreParameters(const std::string& name, const TensorMap& state) {
  CADRE_RETURN_IF_ERROR(RestoreModel(name, state, *online_));
  host_.Stale();
  return absl::OkStatus();
}

}  // namespace cadre
