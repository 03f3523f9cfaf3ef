#include "learner/algorithms/gradient_descent.h"

#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/kernels/optimizer.h"
#include "common/optimizer.h"
#include "common/status_macros.h"
#include "learner/algorithms/tensor_spans.h"

namespace cadre {
namespace {

class GradientDescent final : public OnPolicyAlgorithm {
 public:
  GradientDescent(std::unique_ptr<GradientAlgorithm> algorithm, const OptimizerConfig& config)
      : config_(config),
        algorithm_(std::move(algorithm)),
        optimizer_(MakeFlatOptimizer(config, algorithm_->model().parameters().numel())) {}

  ActorCritic& model() override { return algorithm_->model(); }

  absl::StatusOr<Diagnostics> Update(const OnPolicyBatch& batch, double progress) override;

  void set_listener(UpdateListener* listener) override {
    OnPolicyAlgorithm::set_listener(listener);
    algorithm_->set_listener(listener);
  }

  void Save(TensorMap& state) const override;
  absl::Status Restore(const TensorMap& state) override;

 private:
  // The gradient and the diagnostics become the mean over the steps of all learners, of which
  // this one has `steps`; each takes part, even with none. False where nobody has any.
  absl::StatusOr<bool> AverageOverSteps(int64_t steps, Diagnostics& diagnostics);

  const OptimizerConfig config_;
  const std::unique_ptr<GradientAlgorithm> algorithm_;
  const std::unique_ptr<FlatOptimizer> optimizer_;
  // [P + K + 1]: the sums over steps of their gradient and of the K diagnostics; steps.
  torch::Tensor shared_;
};

absl::StatusOr<Diagnostics> GradientDescent::Update(const OnPolicyBatch& batch, double progress) {
  Diagnostics diagnostics;
  algorithm_->set_collective(collective());
  CADRE_ASSIGN_OR_RETURN(bool step, algorithm_->ComputeGradient(batch, progress, diagnostics));
  Enter(UpdatePart::kOptimize);
  if (collective() != nullptr) {
    const int64_t steps = step ? algorithm_->steps_learned(batch) : 0;
    CADRE_ASSIGN_OR_RETURN(step, AverageOverSteps(steps, diagnostics));
  }
  const double learning_rate = ScheduledLearningRate(config_, progress);
  double norm = std::numeric_limits<double>::quiet_NaN();
  if (step) {
    const absl::Span<const float> gradient = Flat(model().gradient());
    norm = GradientNorm(gradient);
    optimizer_->Step(Flat(model().parameters()), gradient, learning_rate,
                     GradientScale(norm, config_.max_gradient_norm()));
    model().ParametersChanged();
  }
  diagnostics.emplace_back("gradient_norm", norm);
  diagnostics.emplace_back("learning_rate", learning_rate);
  return diagnostics;
}

absl::StatusOr<bool> GradientDescent::AverageOverSteps(int64_t steps, Diagnostics& diagnostics) {
  torch::Tensor gradient = model().gradient();
  const int64_t parameters = gradient.numel();
  const int64_t numbers = static_cast<int64_t>(diagnostics.size());
  torch::Tensor beside = torch::zeros({numbers + 1});
  if (steps > 0)
    for (int64_t i = 0; i < numbers; ++i)
      Flat(beside)[i] = static_cast<float>(diagnostics[i].second * static_cast<double>(steps));
  Flat(beside)[numbers] = static_cast<float>(steps);
  Reserve(shared_, {parameters + numbers + 1}, gradient.device());
  torch::Tensor sum = shared_.narrow(0, 0, parameters);
  if (steps > 0)
    sum.copy_(gradient).mul_(static_cast<double>(steps));
  else
    sum.zero_();
  torch::Tensor shared_beside = shared_.narrow(0, parameters, numbers + 1);
  shared_beside.copy_(beside);
  CADRE_RETURN_IF_ERROR(collective()->Sum(shared_));
  beside.copy_(shared_beside);
  const float all_steps = Flat(beside)[numbers];
  if (all_steps == 0) return false;
  gradient.copy_(sum.div(all_steps));
  for (int64_t i = 0; i < numbers; ++i) diagnostics[i].second = Flat(beside)[i] / all_steps;
  return true;
}

void GradientDescent::Save(TensorMap& state) const {
  algorithm_->Save(state);
  v1::OptimizerState optimizer;
  optimizer_->Save(optimizer);
  state.AddScalar<int64_t>("optimizer.step", optimizer.step());
  state.AddScalar<int64_t>("optimizer.moments", optimizer.moments_size());
  for (int i = 0; i < optimizer.moments_size(); ++i) {
    const std::string& moment = optimizer.moments(i);
    state.Add({.name = absl::StrCat("optimizer.moment", i),
               .dtype = v1::DTYPE_FLOAT32,
               .shape = {static_cast<int64_t>(moment.size() / sizeof(float))},
               .bytes = moment});
  }
}

absl::Status GradientDescent::Restore(const TensorMap& state) {
  CADRE_RETURN_IF_ERROR(algorithm_->Restore(state));
  const absl::StatusOr<int64_t> step = state.ReadScalar<int64_t>("optimizer.step");
  const absl::StatusOr<int64_t> moments = state.ReadScalar<int64_t>("optimizer.moments");
  if (!step.ok()) return absl::DataLossError(step.status().message());
  if (!moments.ok()) return absl::DataLossError(moments.status().message());
  v1::OptimizerState optimizer;
  optimizer.set_step(*step);
  for (int64_t i = 0; i < *moments; ++i) {
    const NamedTensor* moment = state.Find(absl::StrCat("optimizer.moment", i));
    if (moment == nullptr)
      return absl::DataLossError(absl::StrCat("no tensor 'optimizer.moment", i, "'"));
    optimizer.add_moments(moment->bytes);
  }
  const absl::Status status = optimizer_->Restore(optimizer);
  return status.ok() ? status : absl::DataLossError(status.message());
}

}  // namespace

std::unique_ptr<OnPolicyAlgorithm> MakeGradientDescent(std::unique_ptr<GradientAlgorithm> algorithm,
                                                       const OptimizerConfig& optimizer) {
  return std::make_unique<GradientDescent>(std::move(algorithm), optimizer);
}

}  // namespace cadre
