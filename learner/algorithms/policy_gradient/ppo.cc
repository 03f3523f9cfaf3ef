#include "learner/algorithms/policy_gradient/ppo.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "common/check.h"
#include "common/config/schedule.h"
#include "common/status_macros.h"
#include "learner/algorithms/device/device_graph.h"
#include "learner/algorithms/device/step_columns.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "learner/algorithms/optimization/collective_sums.h"
#include "learner/algorithms/optimization/flat_adam.h"
#include "learner/algorithms/optimization/optimizer_state.h"
#include "learner/algorithms/policy_gradient/actor_critic_loss.h"
#include "learner/algorithms/policy_gradient/batch_sequences.h"
#include "learner/algorithms/policy_gradient/ppo_loss.h"
#include "learner/algorithms/policy_gradient/ppo_minibatches.h"
#include "learner/algorithms/targets/advantages.h"
#include "learner/algorithms/targets/importance_weights.h"
#include "learner/algorithms/trust_region/surrogate.h"

namespace cadre {
namespace {

torch::Tensor ScalarOn(torch::Device device, double value = 0) {
  return torch::full({}, value, torch::dtype(torch::kFloat64).device(device));
}

// Advantages are computed on the host, once per update, as they are a recursion over time. After
// that nothing waits for the device until the update is done.
class Ppo final : public OnPolicyAlgorithm {
 public:
  Ppo(const PpoConfig& config, std::unique_ptr<ActorCritic> model, Random random,
      const DeviceOptions& where)
      : config_(config),
        fast_(where.on_cpu_kernels()),
        device_(where.device),
        model_(std::move(model)),
        random_(random),
        adam_(model_->parameters().numel(), {config.adam_epsilon(), config.weight_decay()}, where),
        kl_beta_(config.initial_kl_beta()),
        coefficients_{.objective = config.objective(),
                      .clip_range = ScalarOn(device_),
                      .value_clip_range = config.value_clip_range(),
                      .value = config.value_coefficient(),
                      .entropy = config.entropy_coefficient(),
                      .kl_beta = ScalarOn(device_, kl_beta_)},
        columns_(device_),
        advantage_scale_(torch::zeros({2}, device_)),
        sums_(torch::zeros({kPpoNumbers + 1}, torch::dtype(torch::kFloat64).device(device_))),
        gradient_graph_(MakeDeviceGraph(where)),
        step_graph_(MakeDeviceGraph(where)) {}

  ActorCritic& model() override { return *model_; }
  DiagnosticNames diagnostic_names() const override {
    DiagnosticNames names = {
        "policy_loss",        "value_loss",    "entropy",       "approx_kl",  "clip_fraction",
        "explained_variance", "gradient_norm", "learning_rate", "clip_range", "epochs"};
    if (penalised()) names.insert(names.end(), {"kl", "kl_beta"});
    if (config_.decoupled()) names.insert(names.end(), {"importance_weight", "clipped_share"});
    return names;
  }

  absl::StatusOr<Diagnostics> Update(const OnPolicyBatch& batch, double progress) override;

  void Save(TensorMap& state) const override {
    adam_.Save("adam", state);
    SaveRandom("ppo.random", random_, state);
    state.AddScalar<double>("ppo.kl_beta", kl_beta_);
    if (!averages()) return;
    const torch::Tensor average = proximal_.defined() ? proximal_.cpu() : torch::Tensor();
    state.AddScalar<double>("ppo.proximal_weight", proximal_weight_);
    if (average.defined()) state.Add<float>("ppo.proximal", {average.numel()}, Flat(average));
  }

  absl::Status Restore(const TensorMap& state) override {
    CADRE_RETURN_IF_ERROR(adam_.Restore("adam", state));
    CADRE_RETURN_IF_ERROR(RestoreRandom("ppo.random", state, random_));
    absl::StatusOr<double> kl_beta = state.ReadScalar<double>("ppo.kl_beta");
    if (!kl_beta.ok()) return absl::DataLossError(kl_beta.status().message());
    kl_beta_ = *kl_beta;
    return averages() ? RestoreProximalPolicy(state) : absl::OkStatus();
  }

 private:
  // In the current update.
  struct Counts {
    int64_t epochs = 0, minibatches = 0;
    int64_t gradient_steps = 0;  // One less if the KL bound ended the update.
  };

  bool remembers() const { return model_->network().network.state_size() > 0; }
  bool averages() const { return config_.decoupled() && config_.proximal_decay() > 0; }
  bool penalised() const { return config_.objective() == PpoConfig::ADAPTIVE_KL; }
  void SetSchedules(double progress);
  // Sets the columns; returns the explained variance.
  double EstimateAdvantages(const OnPolicyBatch& batch);
  // Sets old_heads_: of the policy before the update, or of the average over updates.
  void SetOldHeads(const OnPolicyBatch& batch);
  // Sets what decoupled PPO needs of them.
  void SetProximalPolicy(const Heads& step_heads, const OnPolicyBatch& batch);
  absl::Status RestoreProximalPolicy(const TensorMap& state);
  // Sets what an epoch shuffles: the steps, or with a memory the sequences, all of them equally
  // long. Returns the steps of one.
  int64_t Arrange(const OnPolicyBatch& batch);
  // Sets order_ to the steps of the next epoch, minibatch by minibatch.
  void Shuffle(const EpochSplit& split);
  void ReserveRows(int64_t minibatch_size);
  absl::Status LearnEpoch(const EpochSplit& split, Counts& counts, bool& stop);
  // Returns false if the KL bound ends the update.
  absl::StatusOr<bool> UpdateMinibatch(Counts& counts);
  // A graph records both together, or each alone if the host has work between them, such as an
  // all-reduce.
  void ComputeGradient();
  void Step();
  void AddNumbers() { sums_.narrow(0, 0, kPpoNumbers).add_(gradient_.numbers); }
  bool HostBetweenParts() const { return config_.target_kl() > 0 || collective() != nullptr; }
  // The exact KL(old || new) over the whole batch.
  double KlOfUpdate(const OnPolicyBatch& batch);
  void AdaptKlBeta(double kl);
  Diagnostics Report(const Counts& counts, double explained_variance) const;

  const PpoConfig config_;
  const bool fast_;  // Closed forms, on the CPU.
  const torch::Device device_;
  const std::unique_ptr<ActorCritic> model_;
  Random random_;
  FlatAdam adam_;
  double kl_beta_;
  double clip_range_ = 0;
  PpoCoefficients coefficients_;

  // State of the current update; members so that they are allocated once.
  torch::Tensor advantages_, returns_;  // [N], on the CPU
  Heads old_heads_;                     // [N, D], [A] or [N, A], with the KL penalty or decoupled.
  // [N], on the CPU; decoupled only: of the policy before the update, and how much likelier it
  // makes each action than the policy that acted.
  torch::Tensor proximal_log_probs_, weights_;
  WeightSummary weight_summary_;
  // With proximal_decay: the average of the parameters over updates [P], and the sum of what
  // each counted.
  torch::Tensor proximal_;
  double proximal_weight_ = 0;
  std::vector<int64_t> order_;                   // [N], shuffled.
  std::vector<int64_t> units_;                   // Steps or sequences, shuffled.
  std::vector<std::vector<int64_t>> sequences_;  // With a memory: the steps of each.
  StepColumns columns_;
  // State of the current minibatch.
  torch::Tensor rows_;  // [minibatch] int64, of the columns.
  PpoMinibatch minibatch_;
  AdvantageScale scale_;
  const torch::Tensor advantage_scale_;  // [2], the same on the device.
  PpoGradient gradient_;
  // Sums over minibatches of each number, then of the gradient's norm; averaged over learners.
  const torch::Tensor sums_;
  torch::Tensor shared_;  // Buffer for AverageTensors.
  const std::unique_ptr<DeviceGraph> gradient_graph_, step_graph_;
};

absl::StatusOr<Diagnostics> Ppo::Update(const OnPolicyBatch& batch, double progress) {
  torch::NoGradGuard no_graph;
  Enter(UpdatePart::kPrepare);
  SetSchedules(progress);
  double means[] = {EstimateAdvantages(batch), 0, weight_summary_.mean,
                    weight_summary_.clipped_share};
  sums_.zero_();
  const int64_t steps = batch.steps();
  const int64_t unit = Arrange(batch);
  CADRE_ASSIGN_OR_RETURN(
      EpochSplit split,
      SplitEpoch(collective(), std::max<int64_t>(1, config_.minibatch_size() / unit),
                 steps / unit));
  split.size *= unit;
  ReserveRows(split.size);
  Counts counts;
  bool stop = false;
  while (counts.epochs < config_.epochs() && !stop)
    CADRE_RETURN_IF_ERROR(LearnEpoch(split, counts, stop));
  if (penalised()) means[1] = KlOfUpdate(batch);
  // These numbers are on the host and so travel over gloo: a lost learner is noticed here, whereas
  // a wait for the device might never end.
  CADRE_RETURN_IF_ERROR(AverageOverLearners(collective(), absl::MakeSpan(means)));
  const auto [explained_variance, kl, weight, clipped_share] = means;
  Diagnostics diagnostics = Report(counts, explained_variance);
  if (penalised()) {
    AdaptKlBeta(kl);
    diagnostics.emplace_back("kl", kl);
    diagnostics.emplace_back("kl_beta", kl_beta_);
  }
  if (config_.decoupled()) cadre::Report(WeightSummary{weight, clipped_share}, diagnostics);
  return diagnostics;
}

void Ppo::SetSchedules(double progress) {
  adam_.SetLearningRate(
      ScheduledValue(config_.learning_rate(), config_.learning_rate_schedule(), progress));
  clip_range_ = ScheduledValue(config_.clip_range(), config_.clip_range_schedule(), progress);
  coefficients_.clip_range.fill_(clip_range_);
  coefficients_.kl_beta.fill_(kl_beta_);
}

double Ppo::EstimateAdvantages(const OnPolicyBatch& batch) {
  const torch::Tensor values = model_->Values(batch.observations).cpu();  // [N + S]
  const torch::Tensor rewards = batch.rewards.cpu();
  advantages_ = torch::empty({batch.steps()});
  returns_ = torch::empty({batch.steps()});
  GeneralizedAdvantage(Flat(rewards), Flat(values), batch.segments,
                       static_cast<float>(config_.gamma()),
                       static_cast<float>(config_.gae_lambda()), Flat(advantages_), Flat(returns_));
  const torch::Tensor step_values = values.index_select(0, batch.observation_rows.cpu());
  if (penalised() || config_.decoupled()) SetOldHeads(batch);
  if (config_.decoupled()) SetProximalPolicy(old_heads_, batch);
  if (columns_.Assign(
          batch,
          {advantages_, returns_, step_values, penalised() ? old_heads_.policy : torch::Tensor(),
           penalised() && StateDependentDeviation(old_heads_) ? old_heads_.log_std
                                                              : torch::Tensor(),
           proximal_log_probs_, weights_,
           remembers() ? StartsOfSteps(batch.segments, batch.steps()) : torch::Tensor()}))
    gradient_graph_->Forget();
  return ExplainedVariance(Flat(step_values), Flat(returns_));
}

void Ppo::SetOldHeads(const OnPolicyBatch& batch) {
  torch::Tensor newest;
  if (averages()) {
    newest = model_->parameters().clone();
    if (!proximal_.defined()) proximal_ = newest.clone();
    proximal_weight_ = config_.proximal_decay() * proximal_weight_ + 1;
    proximal_.lerp_(newest, 1 / proximal_weight_);
    model_->parameters().copy_(proximal_);
    model_->ParametersChanged();
  }
  const Heads heads = model_->Forward(batch.observations);
  old_heads_.policy = heads.policy.index_select(0, batch.observation_rows);
  old_heads_.counts = heads.counts;
  if (StateDependentDeviation(heads)) {
    old_heads_.log_std = heads.log_std.index_select(0, batch.observation_rows);
  } else if (heads.log_std.defined()) {
    if (!old_heads_.log_std.defined()) old_heads_.log_std = torch::empty_like(heads.log_std);
    old_heads_.log_std.copy_(heads.log_std);
    minibatch_.old_log_std = old_heads_.log_std;
  }
  if (!newest.defined()) return;
  model_->parameters().copy_(newest);
  model_->ParametersChanged();
}

absl::Status Ppo::RestoreProximalPolicy(const TensorMap& state) {
  // One without an average has none: it begins with the next update.
  const absl::StatusOr<double> weight = state.ReadScalar<double>("ppo.proximal_weight");
  proximal_weight_ = weight.ok() ? *weight : 0;
  proximal_ = torch::Tensor();
  if (proximal_weight_ == 0) return absl::OkStatus();  // Before the first update.
  torch::Tensor average = torch::empty({model_->parameters().numel()});
  const absl::Status status = state.Read("ppo.proximal", Flat(average));
  if (!status.ok()) return absl::DataLossError(status.message());
  proximal_ = average.to(device_);
  return absl::OkStatus();
}

void Ppo::SetProximalPolicy(const Heads& step_heads, const OnPolicyBatch& batch) {
  Heads heads{
      .policy = step_heads.policy.cpu(), .value = {}, .log_std = {}, .counts = step_heads.counts};
  if (step_heads.log_std.defined()) heads.log_std = step_heads.log_std.cpu();
  proximal_log_probs_ = torch::empty({batch.steps()});
  ActionLogProbs(heads, batch.actions.cpu(), proximal_log_probs_);
  weights_ = (proximal_log_probs_ - batch.log_probs.cpu()).clamp_max_(kMaxLogRatio).exp_();
  weight_summary_ = Summarize(Flat(weights_), config_.max_weight());
  weights_.clamp_max_(config_.max_weight());
}

int64_t Ppo::Arrange(const OnPolicyBatch& batch) {
  order_.resize(batch.steps());
  if (remembers()) sequences_ = StepsOfSequences(batch.segments);
  units_.resize(remembers() ? sequences_.size() : order_.size());
  std::iota(units_.begin(), units_.end(), 0);
  if (!remembers()) return 1;
  const size_t length = sequences_[0].size();
  for (const std::vector<int64_t>& sequence : sequences_) CADRE_CHECK(sequence.size() == length);
  return static_cast<int64_t>(length);
}

void Ppo::Shuffle(const EpochSplit& split) {
  for (int64_t i = static_cast<int64_t>(units_.size()) - 1; i > 0; --i)
    std::swap(units_[i], units_[random_.Below(i + 1)]);
  if (!remembers()) {
    order_ = units_;
    return;
  }
  // The sequences of a minibatch side by side, step by step; those that fill none come last.
  const int64_t length = static_cast<int64_t>(sequences_[0].size());
  const int64_t all = static_cast<int64_t>(units_.size());
  auto step = order_.begin();
  for (int64_t first = 0; first < all;) {
    const int64_t count = std::min(split.size / length, all - first);
    for (int64_t t = 0; t < length; ++t)
      for (int64_t s = 0; s < count; ++s) *step++ = sequences_[units_[first + s]][t];
    first += count;
  }
}

void Ppo::ReserveRows(int64_t minibatch_size) {
  if (rows_.defined() && rows_.size(0) == minibatch_size) return;
  rows_ = torch::empty({minibatch_size}, torch::dtype(torch::kInt64).device(device_));
  gradient_graph_->Forget();
  step_graph_->Forget();
}

absl::Status Ppo::LearnEpoch(const EpochSplit& split, Counts& counts, bool& stop) {
  ++counts.epochs;
  Shuffle(split);
  const torch::Tensor shuffled = columns_.ToDevice(order_);
  std::vector<AdvantageScale> scales;
  if (config_.normalize_advantages()) {
    CADRE_ASSIGN_OR_RETURN(scales, AdvantageScales(collective(), split, Flat(advantages_), order_));
  }
  for (int64_t i = 0; i < split.count && !stop; ++i) {
    scale_ = scales.empty() ? AdvantageScale{} : scales[i];
    if (!fast_) {
      advantage_scale_[0].fill_(scale_.mean);
      advantage_scale_[1].fill_(scale_.factor);
    }
    rows_.copy_(shuffled.narrow(0, i * split.size, split.size));
    CADRE_ASSIGN_OR_RETURN(const bool stepped, UpdateMinibatch(counts));
    stop = !stepped;
    Enter(UpdatePart::kPrepare);
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Ppo::UpdateMinibatch(Counts& counts) {
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
  // The KL divergence that may end the update is the mean of all, and comes with the gradient.
  if (collective() != nullptr)
    CADRE_RETURN_IF_ERROR(
        AverageTensors(*collective(), {model_->gradient(), gradient_.numbers}, shared_));
  AddNumbers();
  if (config_.target_kl() > 0) {
    if (collective() != nullptr) CADRE_RETURN_IF_ERROR(collective()->Meet());
    if (gradient_.numbers[kApproxKl].item<double>() > 1.5 * config_.target_kl()) return false;
  }
  step_graph_->Run([this] { Step(); });
  ++counts.gradient_steps;
  return true;
}

void Ppo::ComputeGradient() {
  torch::NoGradGuard no_graph;
  const int64_t sequences =
      remembers() ? rows_.size(0) / static_cast<int64_t>(sequences_[0].size()) : 0;
  columns_.Gather(rows_, sequences, minibatch_);
  if (fast_)
    NormalizeAdvantages(scale_, Flat(minibatch_.advantages));
  else
    minibatch_.advantages.sub_(advantage_scale_[0]).mul_(advantage_scale_[1]);
  if (minibatch_.weights.defined()) minibatch_.advantages.mul_(minibatch_.weights);
  Enter(UpdatePart::kForward);
  const Heads heads = model_->Forward(minibatch_.observations);
  Enter(UpdatePart::kLoss);
  ComputePpoGradient(heads, minibatch_, coefficients_, fast_, gradient_);
  Enter(UpdatePart::kBackward);
  model_->Backward(gradient_.gradient);
}

void Ppo::Step() {
  torch::NoGradGuard no_graph;
  Enter(UpdatePart::kOptimize);
  const torch::Tensor norm = FlatNorm(model_->gradient());
  sums_.select(0, kPpoNumbers).add_(norm);
  adam_.Step(model_->parameters(), model_->gradient(), norm, config_.max_gradient_norm());
  model_->ParametersChanged();
}

double Ppo::KlOfUpdate(const OnPolicyBatch& batch) {
  const Heads heads = model_->Forward(batch.observations);
  return MeanKl(old_heads_, {heads.policy.index_select(0, batch.observation_rows),
                             {},
                             StateDependentDeviation(heads)
                                 ? heads.log_std.index_select(0, batch.observation_rows)
                                 : heads.log_std,
                             heads.counts})
      .item<double>();
}

void Ppo::AdaptKlBeta(double kl) {
  if (kl > 1.5 * config_.kl_target()) kl_beta_ *= 2;
  if (kl < config_.kl_target() / 1.5) kl_beta_ /= 2;
  // Neither so large that it can never come back, nor so small that it is gone.
  kl_beta_ = std::clamp(kl_beta_, 1e-6, 1e6);
}

Diagnostics Ppo::Report(const Counts& counts, double explained_variance) const {
  const torch::Tensor sums = sums_.cpu();  // Waits for all of the update.
  const absl::Span<const double> sum = Flat<double>(sums);
  const double n = static_cast<double>(counts.minibatches);
  const double gradient_steps = static_cast<double>(std::max<int64_t>(counts.gradient_steps, 1));
  return {{"policy_loss", sum[kPolicyLoss] / n},
          {"value_loss", sum[kValueLoss] / n},
          {"entropy", sum[kEntropy] / n},
          {"approx_kl", sum[kApproxKl] / n},
          {"clip_fraction", sum[kClipFraction] / n},
          {"explained_variance", explained_variance},
          {"gradient_norm", sum[kPpoNumbers] / gradient_steps},
          {"learning_rate", adam_.learning_rate()},
          {"clip_range", clip_range_},
          {"epochs", static_cast<double>(counts.epochs)}};
}

}  // namespace

std::unique_ptr<OnPolicyAlgorithm> MakePpo(const PpoConfig& config,
                                           std::unique_ptr<ActorCritic> model, Random random,
                                           const DeviceOptions& where) {
  return std::make_unique<Ppo>(config, std::move(model), random, where);
}

}  // namespace cadre
