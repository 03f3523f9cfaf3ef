// PPO on a device: the order of things is ppo.cc's. Values come to the host once for each
// update, where advantages are a recursion over time; from there on the device is not
// waited for until the update is done.
#include "learner/algorithms/ppo.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/check.h"
#include "common/status_macros.h"
#include "learner/algorithms/advantages.h"
#include "learner/algorithms/collective_sums.h"
#include "learner/algorithms/diagnostic_names.h"
#include "learner/algorithms/on_device/device_graph.h"
#include "learner/algorithms/on_device/on_device.h"
#include "learner/algorithms/on_device/ppo_gradient.h"
#include "learner/algorithms/on_device/step_columns.h"
#include "learner/algorithms/on_device/tensor_adam.h"
#include "learner/algorithms/optimizer_state.h"
#include "learner/algorithms/ppo_minibatches.h"
#include "learner/algorithms/tensor_spans.h"

namespace cadre {
namespace {

double Scheduled(double initial, Schedule schedule, double progress) {
  return schedule == LINEAR_TO_ZERO ? initial * (1.0 - std::clamp(progress, 0.0, 1.0)) : initial;
}

class PpoOnDevice final : public OnPolicyAlgorithm {
 public:
  PpoOnDevice(const PpoConfig& config, std::unique_ptr<ActorCritic> model, Random random,
              const DeviceOptions& options)
      : config_(config),
        model_(std::move(model)),
        random_(random),
        adam_(model_->parameters().numel(), config.adam_epsilon(), options.device),
        kl_beta_(config.initial_kl_beta()),
        columns_(options.device),
        advantages_{torch::zeros({}, options.device), torch::ones({}, options.device)},
        bounds_{torch::zeros({}, options.device), torch::zeros({}, options.device)},
        numbers_(torch::zeros({kPpoNumbers}, options.device)),
        sums_(torch::zeros({kPpoNumbers + 1}, options.device)),
        gradient_graph_(MakeDeviceGraph(options)),
        step_graph_(MakeDeviceGraph(options)) {
    coefficients_.value_clip_range = config.value_clip_range();
    coefficients_.value = config.value_coefficient();
    coefficients_.entropy = config.entropy_coefficient();
  }

  ActorCritic& model() override { return *model_; }
  DiagnosticNames diagnostic_names() const override { return PpoDiagnosticNames(config_); }
  absl::StatusOr<Diagnostics> Update(const OnPolicyBatch& batch, double progress) override;

  void Save(TensorMap& state) const override {
    adam_.Save("adam", state);
    SaveRandom("ppo.random", random_, state);
    state.AddScalar<double>("ppo.kl_beta", kl_beta_);
  }

  absl::Status Restore(const TensorMap& state) override {
    CADRE_RETURN_IF_ERROR(adam_.Restore("adam", state));
    CADRE_RETURN_IF_ERROR(RestoreRandom("ppo.random", state, random_));
    absl::StatusOr<double> kl_beta = state.ReadScalar<double>("ppo.kl_beta");
    if (!kl_beta.ok()) return absl::DataLossError(kl_beta.status().message());
    kl_beta_ = *kl_beta;
    return absl::OkStatus();
  }

 private:
  // Of the update at hand.
  struct Counts {
    int64_t epochs = 0, minibatches = 0, gradient_steps = 0;
  };

  void SetSchedules(double progress);
  // Sets the columns; returns the explained variance.
  double EstimateAdvantages(const OnPolicyBatch& batch);
  // Of each of the epoch's minibatches where they are of several learners' steps; else none:
  // then the device finds them.
  absl::StatusOr<std::vector<AdvantageScale>> ScalesOfAll(const EpochSplit& split,
                                                          absl::Span<const int64_t> order) const;
  // False where the KL bound ends the update.
  absl::StatusOr<bool> UpdateMinibatch(const torch::Tensor& rows, Counts& counts);
  // What graphs hold: all of a minibatch, or its two parts where the host has to do
  // something between them, such as an all-reduce.
  void ComputeGradient();
  void Step();
  void AddNumbers() { sums_.narrow(0, 0, kPpoNumbers).add_(numbers_); }
  bool HostBetweenParts() const { return config_.target_kl() > 0 || collective() != nullptr; }
  Diagnostics Report(const Counts& counts, double explained_variance) const;

  const PpoConfig config_;
  const std::unique_ptr<ActorCritic> model_;
  Random random_;
  TensorAdam adam_;
  double kl_beta_;  // Only kept: the penalty is not for devices.
  PpoCoefficients coefficients_;
  double learning_rate_ = 0, clip_range_ = 0;

  torch::Tensor host_advantages_;  // [N] of the update, on the CPU.
  StepColumns columns_;
  torch::Tensor rows_;  // [minibatch] int64; which of the columns' rows.
  PpoMinibatch minibatch_;
  // Of the minibatch at hand, where learners are several.
  struct {
    torch::Tensor mean, factor;  // []
  } advantages_;
  PpoClipBounds bounds_;
  const torch::Tensor numbers_;  // [kPpoNumbers], of the last minibatch, of all learners.
  const torch::Tensor sums_;     // [kPpoNumbers + 1]: over minibatches; then the gradient's norm.
  torch::Tensor shared_;         // Of AverageTensors.
  const std::unique_ptr<DeviceGraph> gradient_graph_, step_graph_;
};

absl::StatusOr<Diagnostics> PpoOnDevice::Update(const OnPolicyBatch& batch, double progress) {
  torch::NoGradGuard no_graph;
  Enter(UpdatePart::kPrepare);
  SetSchedules(progress);
  double explained_variance = EstimateAdvantages(batch);
  sums_.zero_();
  const int64_t steps = batch.steps();
  CADRE_ASSIGN_OR_RETURN(const EpochSplit split,
                         SplitEpoch(collective(), config_.minibatch_size(), steps));
  if (!rows_.defined() || rows_.size(0) != split.size) {
    rows_ = torch::empty({split.size}, torch::dtype(torch::kInt64).device(sums_.device()));
    gradient_graph_->Forget();
    step_graph_->Forget();
  }
  std::vector<int64_t> order(steps);
  for (int64_t i = 0; i < steps; ++i) order[i] = i;
  Counts counts;
  bool stop = false;
  while (counts.epochs < config_.epochs() && !stop) {
    ++counts.epochs;
    for (int64_t i = steps - 1; i > 0; --i) std::swap(order[i], order[random_.Below(i + 1)]);
    const torch::Tensor shuffled = columns_.ToDevice(order);
    CADRE_ASSIGN_OR_RETURN(const auto scales, ScalesOfAll(split, order));
    for (int64_t i = 0; i < split.count && !stop; ++i) {
      if (!scales.empty()) {
        advantages_.mean.fill_(scales[i].mean);
        advantages_.factor.fill_(scales[i].factor);
      }
      CADRE_ASSIGN_OR_RETURN(
          const bool go_on,
          UpdateMinibatch(shuffled.narrow(0, i * split.size, split.size), counts));
      stop = !go_on;
    }
  }
  Enter(UpdatePart::kOptimize);
  // Of numbers on the host, and so over gloo between processes: a learner that is lost is noticed
  // here, where the device might be waited for in vain.
  CADRE_RETURN_IF_ERROR(AverageOverLearners(collective(), absl::MakeSpan(&explained_variance, 1)));
  return Report(counts, explained_variance);
}

void PpoOnDevice::SetSchedules(double progress) {
  learning_rate_ = Scheduled(config_.learning_rate(), config_.learning_rate_schedule(), progress);
  adam_.SetLearningRate(learning_rate_);
  clip_range_ = Scheduled(config_.clip_range(), config_.clip_range_schedule(), progress);
  bounds_.low.fill_(1 - clip_range_);
  bounds_.high.fill_(1 + clip_range_);
}

double PpoOnDevice::EstimateAdvantages(const OnPolicyBatch& batch) {
  const torch::Tensor values = model_->Values(batch.observations).cpu();
  const torch::Tensor rewards = batch.rewards.cpu();
  host_advantages_ = torch::empty({batch.steps()});
  const torch::Tensor returns = torch::empty({batch.steps()});
  GeneralizedAdvantage(
      Flat(rewards), Flat(values), batch.segments, static_cast<float>(config_.gamma()),
      static_cast<float>(config_.gae_lambda()), Flat(host_advantages_), Flat(returns));
  const torch::Tensor step_values = values.index_select(0, batch.observation_rows.cpu());
  const bool moved =
      columns_.Assign(batch.observations.index_select(0, batch.observation_rows), batch.actions,
                      batch.log_probs, torch::stack({host_advantages_, returns, step_values}, 1));
  if (moved) gradient_graph_->Forget();
  return ExplainedVariance(Flat(step_values), Flat(returns));
}

absl::StatusOr<std::vector<AdvantageScale>> PpoOnDevice::ScalesOfAll(
    const EpochSplit& split, absl::Span<const int64_t> order) const {
  if (collective() == nullptr || !config_.normalize_advantages())
    return std::vector<AdvantageScale>();
  return AdvantageScales(collective(), split, Flat(host_advantages_), order);
}

absl::StatusOr<bool> PpoOnDevice::UpdateMinibatch(const torch::Tensor& rows, Counts& counts) {
  Enter(UpdatePart::kForward);
  rows_.copy_(rows);
  ++counts.minibatches;
  if (!HostBetweenParts()) {
    gradient_graph_->Run([this] {
      ComputeGradient();
      AddNumbers();
      Step();
    });
    ++counts.gradient_steps;
    return true;
  }
  gradient_graph_->Run([this] { ComputeGradient(); });
  Enter(UpdatePart::kLoss);
  // The KL divergence that may end the update is the mean of all, and comes with the gradient.
  if (collective() != nullptr)
    CADRE_RETURN_IF_ERROR(AverageTensors(*collective(), {model_->gradient(), numbers_}, shared_));
  AddNumbers();
  if (config_.target_kl() > 0) {
    if (collective() != nullptr) CADRE_RETURN_IF_ERROR(collective()->Meet());
    if (numbers_[3].item<double>() > 1.5 * config_.target_kl()) return false;
  }
  Enter(UpdatePart::kOptimize);
  step_graph_->Run([this] { Step(); });
  ++counts.gradient_steps;
  return true;
}

void PpoOnDevice::ComputeGradient() {
  torch::NoGradGuard no_graph;
  columns_.Gather(rows_, minibatch_);
  if (config_.normalize_advantages() && collective() != nullptr)
    minibatch_.advantages.sub_(advantages_.mean).mul_(advantages_.factor);
  else if (config_.normalize_advantages() && rows_.size(0) > 1)
    NormalizeAdvantages(minibatch_.advantages);
  const Heads heads = model_->Forward(minibatch_.observations);
  PpoTensorGradient out = PpoGradientOfTensors(heads, minibatch_, bounds_, coefficients_);
  numbers_.copy_(out.numbers);
  model_->Backward(out.gradient);
}

void PpoOnDevice::Step() {
  torch::NoGradGuard no_graph;
  const torch::Tensor norm = model_->gradient().norm();
  sums_.select(0, kPpoNumbers).add_(norm);
  adam_.Step(model_->parameters(), model_->gradient(),
             ClippingDivisor(norm, config_.max_gradient_norm()));
  model_->ParametersChanged();
}

Diagnostics PpoOnDevice::Report(const Counts& counts, double explained_variance) const {
  const torch::Tensor sums = sums_.cpu();  // Waits for all of the update.
  const absl::Span<const float> sum = Flat(sums);
  const double n = static_cast<double>(counts.minibatches);
  const double gradient_steps = static_cast<double>(std::max<int64_t>(counts.gradient_steps, 1));
  return {{"policy_loss", sum[0] / n},
          {"value_loss", sum[1] / n},
          {"entropy", sum[2] / n},
          {"approx_kl", sum[3] / n},
          {"clip_fraction", sum[4] / n},
          {"explained_variance", explained_variance},
          {"gradient_norm", sum[kPpoNumbers] / gradient_steps},
          {"learning_rate", learning_rate_},
          {"clip_range", clip_range_},
          {"epochs", static_cast<double>(counts.epochs)}};
}

}  // namespace

std::unique_ptr<OnPolicyAlgorithm> MakePpoOnDevice(const PpoConfig& config,
                                                   std::unique_ptr<ActorCritic> model,
                                                   Random random, const DeviceOptions& options) {
  return std::make_unique<PpoOnDevice>(config, std::move(model), random, options);
}

}  // namespace cadre
