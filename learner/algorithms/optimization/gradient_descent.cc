#include "learner/algorithms/optimization/gradient_descent.h"

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/kernels/optimizer.h"
#include "common/optimizer.h"
#include "common/status_macros.h"
#include "learner/algorithms/device/host_copy.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "learner/algorithms/optimization/collective_sums.h"

namespace cadre {
namespace {

class GradientDescent final : public OnPolicyAlgorithm {
 public:
  GradientDescent(std::unique_ptr<GradientAlgorithm> algorithm, const OptimizerConfig& config)
      : config_(config),
        algorithm_(std::move(algorithm)),
        optimizer_(MakeFlatOptimizer(config, algorithm_->model().parameters().numel())),
        parameters_(algorithm_->model().parameters()),
        gradient_(algorithm_->model().gradient()) {}

  ActorCritic& model() override { return algorithm_->model(); }
  bool learns_whole_episodes() const override { return algorithm_->learns_whole_episodes(); }
  DiagnosticNames diagnostic_names() const override {
    DiagnosticNames names = algorithm_->diagnostic_names();
    names.insert(names.end(), {"gradient_norm", "learning_rate"});
    return names;
  }

  absl::StatusOr<Diagnostics> Update(const OnPolicyBatch& batch, double progress) override;

  void set_listener(UpdateListener* listener) override {
    OnPolicyAlgorithm::set_listener(listener);
    algorithm_->set_listener(listener);
  }
  void set_collective(Collective* collective) override {
    OnPolicyAlgorithm::set_collective(collective);
    algorithm_->set_collective(collective);
  }

  void Save(TensorMap& state) const override;
  absl::Status Restore(const TensorMap& state) override;

 private:
  // The gradient and the diagnostics become the mean over the steps of all learners, of which
  // this one has `steps`. False where nobody has any.
  absl::StatusOr<bool> AverageWithOthers(int64_t steps, Diagnostics& diagnostics);

  const OptimizerConfig config_;
  const std::unique_ptr<GradientAlgorithm> algorithm_;
  const std::unique_ptr<FlatOptimizer> optimizer_;
  HostCopy parameters_, gradient_;  // The optimiser is on the host.
  torch::Tensor shared_;            // Of AverageOverSteps.
};

absl::StatusOr<Diagnostics> GradientDescent::Update(const OnPolicyBatch& batch, double progress) {
  Diagnostics diagnostics;
  CADRE_ASSIGN_OR_RETURN(bool step, algorithm_->ComputeGradient(batch, progress, diagnostics));
  Enter(UpdatePart::kOptimize);
  if (collective() != nullptr) {
    const int64_t steps = step ? batch.steps() : 0;
    CADRE_ASSIGN_OR_RETURN(step, AverageWithOthers(steps, diagnostics));
  }
  const double learning_rate = ScheduledLearningRate(config_, progress);
  double norm = std::numeric_limits<double>::quiet_NaN();
  if (step) {
    gradient_.Stale();
    parameters_.Stale();
    const absl::Span<const float> gradient = Flat(gradient_.Get());
    norm = GradientNorm(gradient);
    optimizer_->Step(Flat(parameters_.Get()), gradient, learning_rate,
                     GradientScale(norm, config_.max_gradient_norm()));
    parameters_.Push();
    model().ParametersChanged();
  }
  diagnostics.emplace_back("gradient_norm", norm);
  diagnostics.emplace_back("learning_rate", learning_rate);
  return diagnostics;
}

absl::StatusOr<bool> GradientDescent::AverageWithOthers(int64_t steps, Diagnostics& diagnostics) {
  std::vector<double> numbers;
  for (const auto& [name, value] : diagnostics) numbers.push_back(value);
  CADRE_ASSIGN_OR_RETURN(const bool any, AverageOverSteps(*collective(), steps, model().gradient(),
                                                          absl::MakeSpan(numbers), shared_));
  for (size_t i = 0; i < numbers.size(); ++i) diagnostics[i].second = numbers[i];
  return any;
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
