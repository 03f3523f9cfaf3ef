// What algorithms learn on a device is what they learn on the CPU kernels. The device is
// that of CADRE_TEST_DEVICE, "cpu" where it is not set: the tensor operations are tested
// wherever the tests run, CUDA and its graphs where there is one.
#include <torch/cuda.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <string>

#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "learner/algorithms/actor_critic/ddpg.h"
#include "learner/algorithms/actor_critic/sac.h"
#include "learner/algorithms/actor_critic/td3.h"
#include "learner/algorithms/optimization/pushed_gradient.h"
#include "learner/algorithms/policy_gradient/on_policy.h"
#include "learner/algorithms/policy_gradient/ppo.h"
#include "learner/algorithms/value_based/dqn.h"
#include "tests/learner/algorithms/actor_critic_example.h"
#include "tests/learner/algorithms/example_batch.h"
#include "tests/learner/algorithms/example_transitions.h"
#include "tests/learner/algorithms/test_device.h"

namespace cadre {
namespace {

// Warm-ups, recording and launches of a graph are all among them.
constexpr int kUpdates = 12;
constexpr int64_t kItems = 32;
const ActionSpace kBounded = BoundedActions({-2, 0}, {2, 1});
const ActionSpace kMaskedChoice = MaskedActions(DiscreteActions(4));
const ActionSpace kMaskedChoices = MaskedActions(ActionSpace::MultiDiscrete({3, 4}));

class DeviceParityTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    options_ = TestDevice();
    options_.graphs = GetParam();
    options_.device_noise = false;
    // Who asks for a device is to know that there is none.
    ASSERT_TRUE(options_.device.is_cpu() || torch::cuda::is_available()) << "no CUDA device";
    if (options_.graphs && options_.device.is_cpu())
      GTEST_SKIP() << "skipped: graphs are CUDA's; CADRE_TEST_DEVICE is cpu";
  }

  OffPolicyBatch OnDevice(const OffPolicyBatch& batch) const {
    const torch::Device to = options_.device;
    return {
        ObservationsOn(to, batch.observations),      batch.actions.to(to),   batch.rewards.to(to),
        ObservationsOn(to, batch.next_observations), batch.discounts.to(to), batch.weights.to(to)};
  }

  OnPolicyBatch OnDevice(const OnPolicyBatch& batch) const {
    OnPolicyBatch out = batch;
    out.observations = ObservationsOn(options_.device, batch.observations);
    for (torch::Tensor OnPolicyBatch::*column :
         {&OnPolicyBatch::observation_rows, &OnPolicyBatch::actions, &OnPolicyBatch::log_probs})
      out.*column = (batch.*column).to(options_.device);
    return out;
  }

  using OffPolicyMaker = std::function<absl::StatusOr<std::unique_ptr<OffPolicyAlgorithm>>(bool)>;
  // Both learn from the same batches and hold the same numbers after it; then the one goes
  // on from what the other saved.
  void ExpectParity(const OffPolicyMaker& make, const ActionSpace& action);
  void ExpectPpoParity(const PpoConfig& config, const ActorCriticNetwork& network);

  DeviceOptions options_;
};

INSTANTIATE_TEST_SUITE_P(, DeviceParityTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Graphed" : "Eager"; });

void ExpectSameDiagnostics(const Diagnostics& got, const Diagnostics& wanted) {
  const std::map<std::string, double> by_name(got.begin(), got.end());
  ASSERT_EQ(got.size(), wanted.size());
  for (const auto& [name, value] : wanted) {
    ASSERT_TRUE(by_name.contains(name)) << name;
    if (std::isnan(value))
      EXPECT_TRUE(std::isnan(by_name.at(name))) << name;
    else
      EXPECT_NEAR(by_name.at(name), value, 1e-3 * std::max(1.0, std::abs(value))) << name;
  }
}

void ExpectSameState(const TensorMap& got, const TensorMap& wanted) {
  ASSERT_EQ(got.tensors().size(), wanted.tensors().size());
  for (const NamedTensor& tensor : wanted.tensors()) {
    const NamedTensor* const twin = got.Find(tensor.name);
    ASSERT_NE(twin, nullptr) << tensor.name;
    ASSERT_EQ(twin->bytes.size(), tensor.bytes.size()) << tensor.name;
    if (tensor.dtype != v1::DTYPE_FLOAT32) {
      EXPECT_EQ(twin->bytes, tensor.bytes) << tensor.name;
      continue;
    }
    const auto floats = [](const NamedTensor& of) {
      torch::Tensor out = torch::empty({static_cast<int64_t>(of.bytes.size() / 4)});
      std::memcpy(out.data_ptr(), of.bytes.data(), of.bytes.size());
      return out;
    };
    const torch::Tensor values = floats(tensor);
    if (values.eq(0).all().item<bool>())  // As what is constant leaves its optimiser.
      EXPECT_TRUE(floats(*twin).eq(0).all().item<bool>()) << tensor.name;
    else
      ExpectClose(floats(*twin), values, tensor.name, 1e-3);
  }
}

void DeviceParityTest::ExpectParity(const OffPolicyMaker& make, const ActionSpace& action) {
  Random random(3);
  auto wanted = make(/*on_device=*/false), got = make(/*on_device=*/true);
  ASSERT_TRUE(wanted.ok() && got.ok()) << wanted.status() << got.status();
  const torch::Tensor initial = (*wanted)->acting_parameters().clone();
  EXPECT_TRUE(torch::equal((*got)->acting_parameters(), initial));
  const auto update = [&](OffPolicyAlgorithm& on_cpu, OffPolicyAlgorithm& on_device, int i) {
    const OffPolicyBatch batch = TransitionsIn(action, kItems, 5, random);
    std::vector<float> priorities(kItems), device_priorities(kItems);
    EXPECT_TRUE(on_cpu.Update(batch, 0.05 * i, absl::MakeSpan(priorities)).ok());
    EXPECT_TRUE(
        on_device.Update(OnDevice(batch), 0.05 * i, absl::MakeSpan(device_priorities)).ok());
    for (int64_t b = 0; b < kItems; ++b)
      ASSERT_NEAR(device_priorities[b], priorities[b], 1e-3 * std::max(1.0f, priorities[b]));
  };
  for (int i = 0; i < kUpdates; ++i) {
    update(**wanted, **got, i);
    ExpectSameDiagnostics((*got)->diagnostics(), (*wanted)->diagnostics());
    if (HasFailure()) FAIL() << "in update " << i;
  }
  // What was learned, not only where it ended.
  ExpectClose((*got)->acting_parameters() - initial, (*wanted)->acting_parameters() - initial,
              "change", 1e-3);
  const TensorMap state = SavedState(**wanted);
  ExpectSameState(SavedState(**got), state);

  auto resumed = make(/*on_device=*/true);
  (*resumed)->acting_parameters().copy_((*wanted)->acting_parameters());
  (*resumed)->ActingParametersChanged();
  ASSERT_TRUE((*resumed)->Restore(state).ok());
  const torch::Tensor before = (*wanted)->acting_parameters().clone();
  for (int i = kUpdates; i < kUpdates + 6; ++i) update(**wanted, **resumed, i);
  ExpectClose((*resumed)->acting_parameters() - before, (*wanted)->acting_parameters() - before,
              "change after a resume", 1e-3);
}

// Large enough that a gradient near zero does not decide its sign.
constexpr double kEpsilon = 1e-3;

TEST_P(DeviceParityTest, Dqn) {
  const auto expect = [&](DqnConfig config) {
    config.set_adam_epsilon(kEpsilon);
    config.set_learning_rate(1e-2);
    config.mutable_learning_rate_schedule()->set_shape(ScheduleConfig::LINEAR);
    config.set_max_gradient_norm(0.1);
    config.set_target_update_interval(3);
    const ModelConfig model = MlpModelConfig({17, 9}, RELU);
    for (const ActionSpace& action : {DiscreteActions(3), kMaskedChoice})
      ExpectParity(
          [&](bool on_device) {
            return MakeDqn(config, ReplayConfig(), model, VectorSpace(5), action, Random(1),
                           on_device ? options_ : DeviceOptions());
          },
          action);
  };
  DqnConfig config;
  config.set_loss(DqnConfig::SQUARED);
  expect(config);
  config.set_loss(DqnConfig::HUBER);
  config.set_target_update_rate(0.3);
  config.set_double_q(true);
  expect(config);
  config.set_dueling(true);
  config.mutable_distributional()->set_atoms(11);
  config.mutable_distributional()->set_min_value(-3);
  config.mutable_distributional()->set_max_value(3);
  expect(config);
}

TEST_P(DeviceParityTest, Sac) {
  for (const bool learned : {true, false}) {
    SacConfig config;
    config.set_adam_epsilon(kEpsilon);
    config.set_learn_temperature(learned);
    config.set_target_update_rate(0.1);
    const ModelConfig model = MlpModelConfig({16, 8}, RELU);
    ExpectParity(
        [&](bool on_device) {
          return MakeSac(config, model, VectorSpace(5), kBounded, Random(1),
                         on_device ? options_ : DeviceOptions());
        },
        kBounded);
  }
}

TEST_P(DeviceParityTest, DiscreteSac) {
  for (const ActionSpace& action : {DiscreteActions(3), kMaskedChoice}) {
    SacConfig config;
    config.set_adam_epsilon(kEpsilon);
    config.set_target_update_rate(0.1);
    const ModelConfig model = MlpModelConfig({16, 8}, RELU);
    ExpectParity(
        [&](bool on_device) {
          return MakeSac(config, model, VectorSpace(5), action, Random(1),
                         on_device ? options_ : DeviceOptions());
        },
        action);
  }
}

TEST_P(DeviceParityTest, Td3) {
  Td3Config config;
  config.set_adam_epsilon(kEpsilon);
  config.set_target_update_rate(0.1);
  const ModelConfig model = MlpModelConfig({16, 8}, RELU);
  ExpectParity(
      [&](bool on_device) {
        return MakeTd3(config, model, VectorSpace(5), kBounded, Random(1),
                       on_device ? options_ : DeviceOptions());
      },
      kBounded);
}

TEST_P(DeviceParityTest, Ddpg) {
  DdpgConfig config;
  config.set_adam_epsilon(kEpsilon);
  config.set_target_update_rate(0.1);
  const ModelConfig model = MlpModelConfig({16, 8}, TANH);
  ExpectParity(
      [&](bool on_device) {
        return MakeDdpg(config, model, VectorSpace(5), kBounded, Random(1),
                        on_device ? options_ : DeviceOptions());
      },
      kBounded);
}

TEST_P(DeviceParityTest, DeviceNoiseContinuesFromACheckpoint) {
  if (options_.device.is_cpu()) GTEST_SKIP() << "skipped: device noise is CUDA's";
  options_.device_noise = true;
  const auto make = [&](uint64_t seed) {
    return *MakeSac({}, MlpModelConfig({16}), VectorSpace(5), kBounded, Random(seed), options_);
  };
  ExpectRestoreContinues(make, kBounded);
}

void DeviceParityTest::ExpectPpoParity(const PpoConfig& config, const ActorCriticNetwork& network) {
  Random random(5);
  // Another policy acted, or the same where too much of a difference would end each update
  // before its first step.
  const auto behaviour = WithParameters(OnKernels(network), config.target_kl() > 0 ? 1 : 2);
  auto wanted = MakePpo(config, WithParameters(OnKernels(network)), Random(1));
  auto got =
      MakePpo(config, WithParameters(OnGraph(network, options_.device)), Random(1), options_);
  const torch::Tensor initial = wanted->model().parameters().clone();
  // The third batch is longer than those before it, the last one than a minibatch shorter.
  const std::vector<std::vector<int64_t>> lengths = {{15, 8, 25}, {30, 18}, {40, 40, 21},
                                                     {20, 33},    {50},     {10, 3}};
  for (size_t i = 0; i < lengths.size(); ++i) {
    const OnPolicyBatch batch = ExampleBatch(*behaviour, lengths[i], random, 0.1);
    const double progress = 0.1 * static_cast<double>(i);
    const auto wanted_numbers = wanted->Update(batch, progress);
    const auto numbers = got->Update(OnDevice(batch), progress);
    ASSERT_TRUE(wanted_numbers.ok() && numbers.ok());
    ExpectSameDiagnostics(*numbers, *wanted_numbers);
    if (HasFailure()) FAIL() << "in update " << i;
  }
  ExpectClose(got->model().parameters().cpu() - initial, wanted->model().parameters() - initial,
              "change", 1e-3);
  TensorMap state, wanted_state;
  got->Save(state);
  wanted->Save(wanted_state);
  ExpectSameState(state, wanted_state);
}

TEST_P(DeviceParityTest, Ppo) {
  PpoConfig config;
  config.set_adam_epsilon(kEpsilon);
  config.set_learning_rate(3e-3);
  config.mutable_learning_rate_schedule()->set_shape(ScheduleConfig::LINEAR);
  config.mutable_clip_range_schedule()->set_shape(ScheduleConfig::LINEAR);
  config.set_entropy_coefficient(0.01);
  config.set_epochs(3);
  config.set_minibatch_size(16);
  for (const ActionSpace& action :
       {DiscreteActions(3), ContinuousActions(2), kMaskedChoice, kMaskedChoices}) {
    for (const bool shared : {false, true})
      ExpectPpoParity(config, ExampleNetwork(MlpModelConfig({9, 7}, TANH, shared), 4, action));
    PpoConfig other = config;
    other.set_value_clip_range(0.1);
    other.set_normalize_advantages(false);
    other.set_target_kl(0.01);
    ExpectPpoParity(other, ExampleNetwork(MlpModelConfig({9, 7}, RELU), 4, action));
  }
}

TEST_P(DeviceParityTest, PpoWithAPenalty) {
  PpoConfig config;
  config.set_adam_epsilon(kEpsilon);
  config.set_objective(PpoConfig::ADAPTIVE_KL);
  config.set_epochs(3);
  config.set_minibatch_size(16);
  for (const ActionSpace& action : {DiscreteActions(3), ContinuousActions(2), kMaskedChoices})
    ExpectPpoParity(config, ExampleNetwork(MlpModelConfig({9, 7}), 4, action));
}

TEST_P(DeviceParityTest, PpoAtTheBoundsOfItsDeviation) {
  PpoConfig config;
  config.set_adam_epsilon(kEpsilon);
  config.set_learning_rate(3e-3);
  config.set_entropy_coefficient(1);
  config.set_epochs(3);
  config.set_minibatch_size(16);
  ModelConfig model = MlpModelConfig({9, 7});
  model.mutable_mlp()->set_min_log_std(-0.05);
  model.mutable_mlp()->set_max_log_std(0.05);
  ExpectPpoParity(config, ExampleNetwork(model, 4, ContinuousActions(2)));
}

// The rest of the on-policy family, of which one update each is one gradient.
TEST_P(DeviceParityTest, OtherOnPolicyAlgorithms) {
  const char* const texts[] = {
      "a2c {}",  "impala {}",
      "npg {}",  "reinforce { baseline: VALUE optimizer { rms_prop { epsilon: 1e-3 } } }",
      "trpo {}", "off_policy_gradient {}"};
  for (const char* const text : texts)
    for (const ActionSpace& action :
         {DiscreteActions(3), ContinuousActions(2), kMaskedChoice, kMaskedChoices}) {
      ExperimentConfig config;
      ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
      const ActorCriticNetwork network = ExampleNetwork(MlpModelConfig({9, 7}), 4, action);
      auto wanted =
          MakeOnPolicyAlgorithm(config, WithParameters(OnKernels(network)), Random(1)).value();
      auto got = MakeOnPolicyAlgorithm(config, WithParameters(OnGraph(network, options_.device)),
                                       Random(1), options_)
                     .value();
      Random random(5);
      const torch::Tensor initial = wanted->model().parameters().clone();
      for (int i = 0; i < 3; ++i) {
        const OnPolicyBatch batch = ExampleBatch(wanted->model(), {15, 8, 25}, random, 0.1);
        const auto wanted_numbers = wanted->Update(batch, 0);
        const auto numbers = got->Update(OnDevice(batch), 0);
        ASSERT_TRUE(wanted_numbers.ok() && numbers.ok());
        ExpectSameDiagnostics(*numbers, *wanted_numbers);
        if (HasFailure()) FAIL() << text << " in update " << i;
      }
      ExpectClose(got->model().parameters().cpu() - initial, wanted->model().parameters() - initial,
                  text, 1e-2);
    }
}

TEST_P(DeviceParityTest, PushedGradients) {
  for (const char* const text : {"a3c {}", "n_step_q {}", "n_step_sarsa {}"}) {
    ExperimentConfig config;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
    *config.mutable_model() = MlpModelConfig({9, 7});
    const ActionSpace action = kMaskedChoice;
    auto wanted = MakePushedGradient(config, VectorSpace(4), action, Random(1)).value();
    auto got = MakePushedGradient(config, VectorSpace(4), action, Random(1), options_).value();
    ASSERT_TRUE(torch::equal(got->model().parameters().cpu(), wanted->model().parameters()));
    const auto behaviour =
        WithParameters(OnKernels(ExampleNetwork(MlpModelConfig({9, 7}), 4, action)));
    Random random(5);
    const OnPolicyBatch batch = ExampleBatch(*behaviour, {15, 8, 25}, random, 0.1);
    Diagnostics wanted_numbers, numbers;
    ASSERT_TRUE(wanted->ComputeGradient(batch, 0, wanted_numbers).value());
    ASSERT_TRUE(got->ComputeGradient(OnDevice(batch), 0, numbers).value());
    ExpectSameDiagnostics(numbers, wanted_numbers);
    ExpectClose(got->model().gradient().cpu(), wanted->model().gradient(), text, 1e-4);
  }
}

}  // namespace
}  // namespace cadre
