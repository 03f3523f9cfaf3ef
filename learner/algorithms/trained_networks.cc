#include "learner/algorithms/trained_networks.h"

#include <utility>

#include "common/kernels/optimizer.h"
#include "common/status_macros.h"
#include "learner/algorithms/collective_sums.h"
#include "learner/algorithms/polyak.h"
#include "learner/algorithms/tensor_spans.h"

namespace cadre {
namespace {

std::unique_ptr<MlpModel> MakeModel(std::vector<Mlp> networks, int64_t size, torch::Device device) {
  if (device.is_cpu()) return MakeFusedMlpModel(std::move(networks), size);
  return MakeAutogradMlpModel(std::move(networks), size, device);
}

void SaveModel(const std::string& name, MlpModel& model, TensorMap& state) {
  const torch::Tensor values = model.parameters().cpu();
  state.Add<float>(name, {values.numel()}, Flat(values));
}

absl::Status RestoreModel(const std::string& name, const TensorMap& state, MlpModel& model) {
  const torch::Tensor values = torch::empty({model.parameters().numel()});
  const absl::Status status = state.Read(name, Flat(values));
  if (!status.ok()) return absl::DataLossError(status.message());
  model.parameters().copy_(values);
  model.ParametersChanged();
  return absl::OkStatus();
}

}  // namespace

TrainedNetworks::TrainedNetworks(std::vector<Mlp> networks, const std::vector<float>& initial,
                                 double adam_epsilon, Target target, torch::Device device)
    : count_(static_cast<int>(networks.size())),
      online_(MakeModel(networks, static_cast<int64_t>(initial.size()), device)),
      target_(target == Target::kNone
                  ? nullptr
                  : MakeModel(std::move(networks), static_cast<int64_t>(initial.size()), device)),
      adam_(static_cast<int64_t>(initial.size()), adam_epsilon, device) {
  for (MlpModel* model : {online_.get(), target_.get()}) {
    if (model == nullptr) continue;
    model->parameters().copy_(torch::tensor(initial));
    model->ParametersChanged();
  }
  if (!device.is_cpu()) host_ = torch::empty({static_cast<int64_t>(initial.size())});
}

void TrainedNetworks::Forward(const torch::Tensor& input, std::vector<torch::Tensor>& outputs) {
  outputs.resize(count_);
  for (int i = 0; i < count_; ++i) outputs[i] = online_->Forward(i, input);
}

void TrainedNetworks::TargetForward(const torch::Tensor& input,
                                    std::vector<torch::Tensor>& outputs) {
  outputs.resize(count_);
  for (int i = 0; i < count_; ++i) outputs[i] = target_->Forward(i, input);
}

void TrainedNetworks::Backward(const std::vector<torch::Tensor>& output_gradients) {
  online_->gradient().zero_();
  for (int i = 0; i < count_; ++i)
    online_->Backward(i, output_gradients[i], /*parameter_gradient=*/true,
                      /*input_gradient=*/false);
}

void TrainedNetworks::InputGradients(const std::vector<torch::Tensor>& output_gradients,
                                     std::vector<torch::Tensor>& input_gradients) {
  input_gradients.resize(count_);
  for (int i = 0; i < count_; ++i)
    input_gradients[i] = online_->Backward(i, output_gradients[i], /*parameter_gradient=*/false,
                                           /*input_gradient=*/true);
}

absl::Status TrainedNetworks::Step(double learning_rate, Collective* collective,
                                   absl::Span<double> beside) {
  if (collective != nullptr)
    CADRE_RETURN_IF_ERROR(AverageGradient(*collective, online_->gradient(), beside, shared_));
  adam_.Step(online_->parameters(), online_->gradient(), learning_rate);
  online_->ParametersChanged();
  return absl::OkStatus();
}

double TrainedNetworks::GradientNorm() const {
  const torch::Tensor gradient = online_->gradient().cpu();
  return cadre::GradientNorm(Flat(gradient));
}

void TrainedNetworks::MoveTarget(double rate) {
  const torch::Tensor online = online_->parameters();
  const torch::Tensor target = target_->parameters();
  if (online.device().is_cpu())
    FollowByPolyak(Flat(online), static_cast<float>(rate), Flat(target));
  else
    target.mul_(1 - rate).add_(online, rate);
  target_->ParametersChanged();
}

torch::Tensor TrainedNetworks::HostParameters() {
  if (!host_.defined()) return online_->parameters();
  host_.copy_(online_->parameters());
  return host_;
}

void TrainedNetworks::HostParametersChanged() {
  if (host_.defined()) online_->parameters().copy_(host_);
  online_->ParametersChanged();
}

void TrainedNetworks::Save(const std::string& name, TensorMap& state) const {
  adam_.Save(name + ".adam", state);
  if (target_ != nullptr) SaveModel(name + ".target", *target_, state);
}

absl::Status TrainedNetworks::Restore(const std::string& name, const TensorMap& state) {
  CADRE_RETURN_IF_ERROR(adam_.Restore(name + ".adam", state));
  if (target_ == nullptr) return absl::OkStatus();
  return RestoreModel(name + ".target", state, *target_);
}

void TrainedNetworks::SaveParameters(const std::string& name, TensorMap& state) const {
  SaveModel(name + ".parameters", *online_, state);
}

absl::Status TrainedNetworks::RestoreParameters(const std::string& name, const TensorMap& state) {
  return RestoreModel(name + ".parameters", state, *online_);
}

}  // namespace cadre
