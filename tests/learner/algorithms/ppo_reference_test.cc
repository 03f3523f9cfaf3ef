// Whole updates against PPO as one would write it down in a notebook: LibTorch's
// autograd and Adam, the loss in its textbook form, all steps in one minibatch.
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <torch/autograd.h>
#include <torch/optim/adam.h>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "learner/algorithms/policy_gradient/ppo.h"
#include "tests/learner/algorithms/example_batch.h"

namespace cadre {
namespace {

class NotebookPpo {
 public:
  NotebookPpo(const PpoConfig& config, const ActorCriticNetwork& network,
              const torch::Tensor& parameters)
      : config_(config),
        network_(network),
        parameters_(parameters.clone().requires_grad_()),
        adam_({parameters_},
              torch::optim::AdamOptions(config.learning_rate()).eps(config.adam_epsilon())) {}

  void Update(const OnPolicyBatch& batch) {
    EstimateAdvantages(batch);
    const torch::Tensor observations = Rows(batch.observations.only(), batch);
    const torch::Tensor a =
        (advantages_ - advantages_.mean()) / (advantages_.std(/*unbiased=*/true) + 1e-8);
    for (int epoch = 0; epoch < config_.epochs(); ++epoch) {
      const Heads heads = Forward(observations);
      const torch::Tensor ratio = (LogProb(heads, batch.actions) - batch.log_probs).exp();
      const double clip = config_.clip_range();
      const torch::Tensor policy_loss =
          -torch::min(ratio * a, torch::clamp(ratio, 1 - clip, 1 + clip) * a).mean();
      const double by = config_.value_clip_range();
      const torch::Tensor near = old_values_ + torch::clamp(heads.value - old_values_, -by, by);
      const torch::Tensor value_loss =
          torch::max((heads.value - returns_).square(), (near - returns_).square()).mean();
      const torch::Tensor entropy = network_.discrete() ? CategoricalEntropy(heads.policy).mean()
                                                        : GaussianEntropy(heads.log_std);
      adam_.zero_grad();
      (policy_loss + config_.value_coefficient() * value_loss -
       config_.entropy_coefficient() * entropy)
          .backward();
      torch::Tensor& gradient = parameters_.mutable_grad();
      const double norm = gradient.norm().item<double>();
      if (norm > config_.max_gradient_norm())
        gradient.mul_(config_.max_gradient_norm() / (norm + 1e-6));
      adam_.step();
    }
  }

  torch::Tensor parameters() const { return parameters_.detach(); }

 private:
  static torch::Tensor Rows(const torch::Tensor& source, const OnPolicyBatch& batch) {
    return source.index_select(0, batch.observation_rows);
  }

  // Layers "<name>.<i>" one after the other; all but a head's last one have an activation.
  torch::Tensor Run(const std::string& name, torch::Tensor x, bool head) const {
    std::vector<torch::Tensor> blocks;
    for (const ParameterBlock& block : network_.layout().blocks())
      if (absl::StartsWith(block.name, name + ".") && block.name != "policy.log_std")
        blocks.push_back(parameters_.narrow(0, block.offset, block.size).view(block.shape));
    for (size_t i = 0; i < blocks.size(); i += 2) {
      x = x.matmul(blocks[i].t()) + blocks[i + 1];
      if (!head || i + 2 < blocks.size()) x = x.tanh();
    }
    return x;
  }

  Heads Forward(const torch::Tensor& observations) const {
    const torch::Tensor features = Run("trunk", observations, /*head=*/false);
    Heads heads{Run("policy", features, true), Run("value", features, true).squeeze(1), {}};
    if (!network_.discrete())
      heads.log_std = parameters_.narrow(0, network_.log_std, network_.action.dimensions);
    return heads;
  }

  void EstimateAdvantages(const OnPolicyBatch& batch) {
    const torch::Tensor values = Forward(batch.observations.only()).value.detach();
    old_values_ = Rows(values, batch);
    advantages_ = torch::zeros({batch.steps()});
    for (size_t s = 0; s < batch.segments.size(); ++s) {
      const SegmentBounds& segment = batch.segments[s];
      double following = 0;
      for (int64_t t = segment.length - 1; t >= 0; --t) {
        const int64_t row = segment.first_step + static_cast<int64_t>(s) + t;
        const bool last = t + 1 == segment.length;
        const double next = last && segment.terminated ? 0 : values[row + 1].item<double>();
        const double delta = batch.rewards[segment.first_step + t].item<double>() +
                             config_.gamma() * next - values[row].item<double>();
        following = delta + config_.gamma() * config_.gae_lambda() * following;
        advantages_[segment.first_step + t] = following;
      }
    }
    returns_ = advantages_ + old_values_;
  }

  const PpoConfig config_;
  const ActorCriticNetwork network_;
  torch::Tensor parameters_;
  torch::optim::Adam adam_;
  torch::Tensor advantages_, returns_, old_values_;
};

TEST(PpoTest, UpdatesAreThoseOfTheTextbook) {
  PpoConfig config;
  config.set_learning_rate(3e-3);
  config.set_epochs(4);
  config.set_minibatch_size(1000);  // All steps at once: the order does not matter.
  config.set_value_clip_range(0.3);
  config.set_entropy_coefficient(0.02);
  config.set_max_gradient_norm(0.3);
  for (const bool shared : {false, true})
    for (const ActionSpace& action : {DiscreteActions(3), ContinuousActions(2)}) {
      const ActorCriticNetwork network =
          ExampleNetwork(MlpModelConfig({9, 7}, TANH, shared), 4, action);
      auto model = WithParameters(OnKernels(network));
      NotebookPpo notebook(config, network, model->parameters());
      const std::unique_ptr<OnPolicyAlgorithm> ppo = MakePpo(config, std::move(model), Random(1));
      Random random(2);
      const torch::Tensor before = ppo->model().parameters().clone();
      for (int update = 0; update < 3; ++update) {
        const OnPolicyBatch batch = ExampleBatch(ppo->model(), {5, 8, 11, 1}, random, 0.2);
        ASSERT_TRUE(ppo->Update(batch, 0).ok());
        notebook.Update(batch);
        const double distance =
            (ppo->model().parameters() - notebook.parameters()).abs().max().item<double>();
        EXPECT_LE(distance, 2e-5) << "update " << update;
      }
      // For scale: how far three updates go.
      EXPECT_GT((notebook.parameters() - before).abs().max().item<double>(), 1e-2);
    }
}

}  // namespace
}  // namespace cadre
