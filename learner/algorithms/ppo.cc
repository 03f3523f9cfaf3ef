#include "learner/algorithms/ppo.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "common/check.h"
#include "common/kernels/optimizer.h"
#include "common/status_macros.h"
#include "learner/algorithms/advantages.h"
#include "learner/algorithms/collective_sums.h"
#include "learner/algorithms/diagnostic_names.h"
#include "learner/algorithms/optimizer_state.h"
#include "learner/algorithms/ppo_loss.h"
#include "learner/algorithms/ppo_minibatches.h"
#include "policy/torch_distributions.h"

namespace cadre {
namespace {

absl::Span<float> Flat(const torch::Tensor& tensor) {
  CADRE_CHECK(tensor.is_contiguous() && tensor.device().is_cpu());
  return {tensor.data_ptr<float>(), static_cast<size_t>(tensor.numel())};
}

double Scheduled(double initial, Schedule schedule, double progress) {
  return schedule == LINEAR_TO_ZERO ? initial * (1.0 - std::clamp(progress, 0.0, 1.0)) : initial;
}

void Normalize(const AdvantageScale& scale, absl::Span<float> advantages) {
  for (float& a : advantages) a = static_cast<float>((a - scale.mean) * scale.factor);
}

// `source` rows at `rows`, into `out`, which is allocated on first use.
void Gather(const torch::Tensor& source, const torch::Tensor& rows, torch::Tensor& out) {
  std::vector<int64_t> shape = source.sizes().vec();
  shape[0] = rows.size(0);
  if (!out.defined() || out.sizes() != shape) out = torch::empty(shape, source.options());
  torch::index_select_out(out, source, 0, rows);
}

class Ppo final : public OnPolicyAlgorithm {
 public:
  Ppo(const PpoConfig& config, std::unique_ptr<ActorCritic> model, Random random)
      : config_(config),
        model_(std::move(model)),
        random_(random),
        adam_(model_->parameters().numel(), {.epsilon = config.adam_epsilon()}),
        kl_beta_(config.initial_kl_beta()) {}

  ActorCritic& model() override { return *model_; }
  DiagnosticNames diagnostic_names() const override { return PpoDiagnosticNames(config_); }

  absl::StatusOr<Diagnostics> Update(const OnPolicyBatch& batch, double progress) override;

  void Save(TensorMap& state) const override {
    SaveAdam(adam_, state);
    SaveRandom("ppo.random", random_, state);
    state.AddScalar<double>("ppo.kl_beta", kl_beta_);
  }

  absl::Status Restore(const TensorMap& state) override {
    CADRE_RETURN_IF_ERROR(RestoreAdam(state, adam_));
    CADRE_RETURN_IF_ERROR(RestoreRandom("ppo.random", state, random_));
    absl::StatusOr<double> kl_beta = state.ReadScalar<double>("ppo.kl_beta");
    if (!kl_beta.ok()) return absl::DataLossError(kl_beta.status().message());
    kl_beta_ = *kl_beta;
    return absl::OkStatus();
  }

 private:
  // Means over the minibatches of an update.
  struct Sums {
    PpoDiagnostics loss;
    double gradient_norm = 0;
    int64_t minibatches = 0;
    int64_t gradient_steps = 0;  // One less where the KL bound ended the update.
  };

  void EstimateAdvantages(const OnPolicyBatch& batch);
  void GatherMinibatch(const OnPolicyBatch& batch, const torch::Tensor& rows);
  absl::StatusOr<bool> UpdateMinibatch(const PpoCoefficients& coefficients, double learning_rate,
                                       Sums& sums);
  absl::Status AverageOverGroup(PpoDiagnostics& loss);
  // KL(old || new) of the whole batch, exact.
  double KlOfUpdate(const OnPolicyBatch& batch);
  void AdaptKlBeta(double kl);
  Diagnostics Report(const Sums& sums, int64_t epochs, double explained_variance,
                     double learning_rate, double clip_range) const;

  const PpoConfig config_;
  const std::unique_ptr<ActorCritic> model_;
  Random random_;
  Adam adam_;
  double kl_beta_;

  // Of the current update, kept to be allocated once.
  torch::Tensor values_, advantages_, returns_;  // [N + S], [N], [N]
  torch::Tensor step_values_;                    // [N]
  torch::Tensor old_policy_, old_log_std_;       // [N, D], [A]; KL penalty only
  torch::Tensor order_;                          // [N] int64, shuffled
  torch::Tensor observation_rows_;               // [minibatch] int64
  PpoMinibatch minibatch_;
  PpoHeadGradient head_gradient_;
  torch::Tensor gradient_and_means_;  // [P + 5]; only with other learners
};

absl::StatusOr<Diagnostics> Ppo::Update(const OnPolicyBatch& batch, double progress) {
  const double learning_rate =
      Scheduled(config_.learning_rate(), config_.learning_rate_schedule(), progress);
  PpoCoefficients coefficients;
  coefficients.objective = config_.objective();
  coefficients.clip_range =
      Scheduled(config_.clip_range(), config_.clip_range_schedule(), progress);
  coefficients.value_clip_range = config_.value_clip_range();
  coefficients.value = config_.value_coefficient();
  coefficients.entropy = config_.entropy_coefficient();
  if (config_.objective() == PpoConfig::ADAPTIVE_KL) coefficients.kl_beta = kl_beta_;

  Enter(UpdatePart::kPrepare);
  EstimateAdvantages(batch);
  const int64_t steps = batch.steps();
  CADRE_ASSIGN_OR_RETURN(const EpochSplit split,
                         SplitEpoch(collective(), config_.minibatch_size(), steps));
  order_ = torch::arange(steps);
  const absl::Span<int64_t> order(order_.data_ptr<int64_t>(), steps);

  Sums sums;
  int64_t epoch = 0;
  bool stop = false;
  while (epoch < config_.epochs() && !stop) {
    ++epoch;
    for (int64_t i = steps - 1; i > 0; --i) std::swap(order[i], order[random_.Below(i + 1)]);
    std::vector<AdvantageScale> scales;
    if (config_.normalize_advantages()) {
      CADRE_ASSIGN_OR_RETURN(scales,
                             AdvantageScales(collective(), split, Flat(advantages_), order));
    }
    for (int64_t i = 0; i < split.count && !stop; ++i) {
      GatherMinibatch(batch, order_.narrow(0, i * split.size, split.size));
      if (!scales.empty()) Normalize(scales[i], Flat(minibatch_.advantages));
      CADRE_ASSIGN_OR_RETURN(const bool stepped,
                             UpdateMinibatch(coefficients, learning_rate, sums));
      stop = !stepped;
      Enter(UpdatePart::kPrepare);
    }
  }
  const bool penalised = config_.objective() == PpoConfig::ADAPTIVE_KL;
  double means[] = {ExplainedVariance(Flat(step_values_), Flat(returns_)),
                    penalised ? KlOfUpdate(batch) : 0};
  CADRE_RETURN_IF_ERROR(AverageOverLearners(collective(), absl::MakeSpan(means)));
  const auto [explained_variance, kl] = means;
  Diagnostics diagnostics =
      Report(sums, epoch, explained_variance, learning_rate, coefficients.clip_range);
  if (penalised) {
    AdaptKlBeta(kl);
    diagnostics.emplace_back("kl", kl);
    diagnostics.emplace_back("kl_beta", kl_beta_);
  }
  return diagnostics;
}

void Ppo::EstimateAdvantages(const OnPolicyBatch& batch) {
  values_ = model_->Values(batch.observations).cpu().clone();
  advantages_ = torch::empty({batch.steps()});
  returns_ = torch::empty({batch.steps()});
  const torch::Tensor rewards = batch.rewards.cpu();
  GeneralizedAdvantage(Flat(rewards), Flat(values_), batch.segments,
                       static_cast<float>(config_.gamma()),
                       static_cast<float>(config_.gae_lambda()), Flat(advantages_), Flat(returns_));
  step_values_ = values_.index_select(0, batch.observation_rows);
  if (config_.objective() == PpoConfig::ADAPTIVE_KL) {
    const Heads heads = model_->Forward(batch.observations);
    old_policy_ = heads.policy.index_select(0, batch.observation_rows);
    if (heads.log_std.defined()) old_log_std_ = heads.log_std.clone();
  }
}

void Ppo::GatherMinibatch(const OnPolicyBatch& batch, const torch::Tensor& rows) {
  Gather(batch.observation_rows, rows, observation_rows_);
  Gather(batch.observations, observation_rows_, minibatch_.observations);
  Gather(batch.actions, rows, minibatch_.actions);
  Gather(batch.log_probs, rows, minibatch_.log_probs);
  Gather(advantages_, rows, minibatch_.advantages);
  Gather(returns_, rows, minibatch_.returns);
  Gather(step_values_, rows, minibatch_.values);
  if (config_.objective() == PpoConfig::ADAPTIVE_KL) {
    Gather(old_policy_, rows, minibatch_.old_policy);
    minibatch_.old_log_std = old_log_std_;
  }
}

// One gradient step; false, and no step, where the KL bound ends the update.
absl::StatusOr<bool> Ppo::UpdateMinibatch(const PpoCoefficients& coefficients, double learning_rate,
                                          Sums& sums) {
  Enter(UpdatePart::kForward);
  const Heads heads = model_->Forward(minibatch_.observations);
  Enter(UpdatePart::kLoss);
  if (heads.policy.device().is_cpu())
    PpoGradientInClosedForm(heads, minibatch_, coefficients, head_gradient_);
  else
    PpoGradientByAutograd(heads, minibatch_, coefficients, head_gradient_);

  PpoDiagnostics& loss = head_gradient_.diagnostics;
  // With others the gradient comes first: the KL divergence that may end the update is the
  // mean of all, and comes with it.
  if (collective() != nullptr) CADRE_RETURN_IF_ERROR(AverageOverGroup(loss));
  sums.loss.policy_loss += loss.policy_loss;
  sums.loss.value_loss += loss.value_loss;
  sums.loss.entropy += loss.entropy;
  sums.loss.approx_kl += loss.approx_kl;
  sums.loss.clip_fraction += loss.clip_fraction;
  ++sums.minibatches;
  if (config_.target_kl() > 0 && loss.approx_kl > 1.5 * config_.target_kl()) return false;

  if (collective() == nullptr) {
    Enter(UpdatePart::kBackward);
    model_->Backward(head_gradient_.gradient);
  }
  Enter(UpdatePart::kOptimize);
  const absl::Span<float> gradient = Flat(model_->gradient());
  const double norm = GradientNorm(gradient);
  sums.gradient_norm += norm;
  ++sums.gradient_steps;
  adam_.Step(Flat(model_->parameters()), gradient, learning_rate,
             GradientScale(norm, config_.max_gradient_norm()));
  model_->ParametersChanged();
  return true;
}

// The gradient and the means of the minibatch become those of all learners.
absl::Status Ppo::AverageOverGroup(PpoDiagnostics& loss) {
  Enter(UpdatePart::kBackward);
  model_->Backward(head_gradient_.gradient);
  Enter(UpdatePart::kOptimize);
  double means[] = {loss.policy_loss, loss.value_loss, loss.entropy, loss.approx_kl,
                    loss.clip_fraction};
  CADRE_RETURN_IF_ERROR(AverageGradient(*collective(), model_->gradient(), absl::MakeSpan(means),
                                        gradient_and_means_));
  loss.policy_loss = means[0];
  loss.value_loss = means[1];
  loss.entropy = means[2];
  loss.approx_kl = means[3];
  loss.clip_fraction = means[4];
  return absl::OkStatus();
}

double Ppo::KlOfUpdate(const OnPolicyBatch& batch) {
  const Heads heads = model_->Forward(batch.observations);
  const torch::Tensor policy = heads.policy.index_select(0, batch.observation_rows);
  const torch::Tensor kl = heads.log_std.defined()
                               ? GaussianKl(old_policy_, old_log_std_, policy, heads.log_std)
                               : CategoricalKl(old_policy_, policy);
  return kl.mean().item<double>();
}

void Ppo::AdaptKlBeta(double kl) {
  if (kl > 1.5 * config_.kl_target()) kl_beta_ *= 2;
  if (kl < config_.kl_target() / 1.5) kl_beta_ /= 2;
  // Neither so large that it can never come back, nor so small that it is gone.
  kl_beta_ = std::clamp(kl_beta_, 1e-6, 1e6);
}

Diagnostics Ppo::Report(const Sums& sums, int64_t epochs, double explained_variance,
                        double learning_rate, double clip_range) const {
  const double n = static_cast<double>(sums.minibatches);
  const double gradient_steps = static_cast<double>(std::max<int64_t>(sums.gradient_steps, 1));
  return {{"policy_loss", sums.loss.policy_loss / n},
          {"value_loss", sums.loss.value_loss / n},
          {"entropy", sums.loss.entropy / n},
          {"approx_kl", sums.loss.approx_kl / n},
          {"clip_fraction", sums.loss.clip_fraction / n},
          {"explained_variance", explained_variance},
          {"gradient_norm", sums.gradient_norm / gradient_steps},
          {"learning_rate", learning_rate},
          {"clip_range", clip_range},
          {"epochs", static_cast<double>(epochs)}};
}

}  // namespace

std::unique_ptr<OnPolicyAlgorithm> MakePpo(const PpoConfig& config,
                                           std::unique_ptr<ActorCritic> model, Random random) {
  return std::make_unique<Ppo>(config, std::move(model), random);
}

}  // namespace cadre
