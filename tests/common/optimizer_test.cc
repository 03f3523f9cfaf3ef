// Every kind against a plain loop in float64, and its saved state.
#include "common/optimizer.h"

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "common/random.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using testing::HasSubstr;

constexpr int kSize = 67;  // No whole number of vectors.

OptimizerConfig Config(const std::string& text) {
  OptimizerConfig config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config));
  return config;
}

// From far below epsilon to large, with a mean that is not 0.
std::vector<float> Gradient(Random& random) {
  std::vector<float> gradient(kSize);
  for (int i = 0; i < kSize; ++i)
    gradient[i] = static_cast<float>((random.Normal() + 0.3) * std::pow(10, i % 7 - 4));
  return gradient;
}

// The formulas of OptimizerConfig, one element at a time.
struct Naive {
  OptimizerConfig config;
  int step = 0;
  std::vector<double> first = std::vector<double>(kSize), second = std::vector<double>(kSize);

  double Direction(int i, double g) {
    if (config.has_sgd()) return first[i] = config.sgd().momentum() * first[i] + g;
    if (config.has_adam()) {
      const auto& adam = config.adam();
      first[i] = adam.beta1() * first[i] + (1 - adam.beta1()) * g;
      second[i] = adam.beta2() * second[i] + (1 - adam.beta2()) * g * g;
      const double m = first[i] / (1 - std::pow(adam.beta1(), step));
      const double v = second[i] / (1 - std::pow(adam.beta2(), step));
      return m / (std::sqrt(v) + adam.epsilon());
    }
    const auto& rms = config.rms_prop();
    if (step == 1) second[i] = rms.initial_square();
    first[i] = rms.decay() * first[i] + (1 - rms.decay()) * g;
    second[i] = rms.decay() * second[i] + (1 - rms.decay()) * g * g;
    const double square = second[i] - (rms.centered() ? first[i] * first[i] : 0);
    return g / (rms.epsilon_inside_root() ? std::sqrt(square + rms.epsilon())
                                          : std::sqrt(square) + rms.epsilon());
  }
};

class EveryKindTest : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(
    FlatOptimizer, EveryKindTest,
    testing::Values("", "sgd {}", "sgd { momentum: 0.9 }", "adam {}",
                    "adam { beta1: 0.5 beta2: 0.9 epsilon: 1e-3 }", "rms_prop { decay: 0.9 }",
                    "rms_prop { initial_square: 0 }", "rms_prop { initial_square: 0.01 }",
                    "rms_prop { epsilon: 0.01 epsilon_inside_root: true }",
                    "rms_prop { centered: true epsilon: 1e-3 }",
                    "rms_prop { centered: true epsilon: 0.1 epsilon_inside_root: true }"));

TEST_P(EveryKindTest, StepsAsAPlainLoopDoes) {
  Naive naive{Config(GetParam())};
  const auto optimizer = MakeFlatOptimizer(naive.config, kSize);
  Random random(1);
  std::vector<float> parameters(kSize, 0.5f);
  std::vector<double> expected(kSize, 0.5);
  for (naive.step = 1; naive.step <= 100; ++naive.step) {
    const std::vector<float> gradient = Gradient(random);
    optimizer->Step(absl::MakeSpan(parameters), gradient, 1e-2, 0.5f);
    for (int i = 0; i < kSize; ++i) {
      expected[i] -= 1e-2 * naive.Direction(i, 0.5 * gradient[i]);
      ASSERT_NEAR(parameters[i], expected[i], 2e-5 * (1 + std::abs(expected[i])))
          << "step " << naive.step << ", element " << i;
    }
  }
}

TEST_P(EveryKindTest, GoesOnFromASavedStateBitForBit) {
  const OptimizerConfig config = Config(GetParam());
  const auto optimizer = MakeFlatOptimizer(config, kSize);
  Random random(2);
  std::vector<float> parameters(kSize, 1.0f);
  for (int i = 0; i < 5; ++i)
    optimizer->Step(absl::MakeSpan(parameters), Gradient(random), 0.01, 1);
  v1::OptimizerState state;
  optimizer->Save(state);
  EXPECT_EQ(state.step(), 5);
  const auto restored = MakeFlatOptimizer(config, kSize);
  ASSERT_TRUE(restored->Restore(state).ok());
  std::vector<float> copy = parameters;
  const std::vector<float> next = Gradient(random);
  optimizer->Step(absl::MakeSpan(parameters), next, 0.01, 1);
  restored->Step(absl::MakeSpan(copy), next, 0.01, 1);
  EXPECT_EQ(parameters, copy);
  v1::OptimizerState one, other;
  optimizer->Save(one);
  restored->Save(other);
  EXPECT_EQ(one.SerializeAsString(), other.SerializeAsString());
}

TEST_P(EveryKindTest, AStateOfAnotherSizeIsRefusedAndChangesNothing) {
  const OptimizerConfig config = Config(GetParam());
  const auto optimizer = MakeFlatOptimizer(config, kSize);
  v1::OptimizerState fresh, state;
  optimizer->Save(fresh);
  state = fresh;
  state.set_step(3);
  state.add_moments(std::string(kSize * sizeof(float), '\1'));
  EXPECT_EQ(optimizer->Restore(state).code(), absl::StatusCode::kInvalidArgument);
  if (fresh.moments_size() > 0) {
    state = fresh;
    state.set_step(3);
    state.mutable_moments(fresh.moments_size() - 1)->resize(12);
    const absl::Status status = optimizer->Restore(state);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("12 bytes; wanted 268"));
  }
  optimizer->Save(state);
  EXPECT_EQ(state.SerializeAsString(), fresh.SerializeAsString());
}

TEST(FlatOptimizerTest, RmsPropByHand) {
  std::vector<float> parameters = {1, 1};
  const auto rms =
      MakeFlatOptimizer(Config("rms_prop { decay: 0.75 epsilon: 1 initial_square: 0 }"), 2);
  rms->Step(absl::MakeSpan(parameters), std::vector<float>{2, -4}, 0.5, 1);
  EXPECT_FLOAT_EQ(parameters[0], 1 - 0.5f * 2 / (1 + 1));  // g = 0.25 * 4 = 1.
  EXPECT_FLOAT_EQ(parameters[1], 1 + 0.5f * 4 / (2 + 1));  // g = 0.25 * 16 = 4.
  parameters = {1, 1};
  const auto inside = MakeFlatOptimizer(
      Config("rms_prop { decay: 0.75 epsilon: 5 epsilon_inside_root: true initial_square: 0 }"), 2);
  inside->Step(absl::MakeSpan(parameters), std::vector<float>{2, -4}, 0.5, 1);
  EXPECT_FLOAT_EQ(parameters[1], 1 + 0.5f * 4 / 3);  // sqrt(4 + 5)
}

// Not the steps of up to 1 / sqrt(1 - decay) times the rate that come of squares from 0 on.
TEST(FlatOptimizerTest, RmsPropBeginsWithItsInitialSquare) {
  std::vector<float> parameter = {0};
  MakeFlatOptimizer(Config("rms_prop { decay: 0.99 epsilon: 1e-5 }"), 1)
      ->Step(absl::MakeSpan(parameter), std::vector<float>{0.01f}, 1, 1);
  EXPECT_NEAR(parameter[0], -0.01 / (std::sqrt(0.99 + 1e-6) + 1e-5), 1e-7) << "by default 1";
  parameter = {0};
  MakeFlatOptimizer(Config("rms_prop { decay: 0.99 epsilon: 1e-5 initial_square: 0 }"), 1)
      ->Step(absl::MakeSpan(parameter), std::vector<float>{0.01f}, 1, 1);
  EXPECT_NEAR(parameter[0], -0.01 / (1e-3 + 1e-5), 1e-4);
}

// A state that was saved before there was an initial square.
TEST(FlatOptimizerTest, ARestoredSquareIsNotBegunAfresh) {
  v1::OptimizerState state;
  MakeFlatOptimizer(Config("rms_prop { initial_square: 0 }"), kSize)->Save(state);
  const auto restored = MakeFlatOptimizer(Config("rms_prop {}"), kSize);
  ASSERT_TRUE(restored->Restore(state).ok());
  v1::OptimizerState again;
  restored->Save(again);
  EXPECT_EQ(again.SerializeAsString(), state.SerializeAsString());
}

TEST(FlatOptimizerTest, ACenteredDivisorOfAConstantGradientIsNeverNaN) {
  const auto rms = MakeFlatOptimizer(Config("rms_prop { centered: true decay: 0.9 }"), kSize);
  std::vector<float> parameters(kSize, 0.0f);
  const std::vector<float> gradient(kSize, 1000.1f);
  for (int i = 0; i < 1000; ++i) rms->Step(absl::MakeSpan(parameters), gradient, 1e-6, 1);
  for (const float value : parameters) ASSERT_TRUE(std::isfinite(value));
}

TEST(FlatOptimizerTest, MomentsOfADeadUnitBecomeZeroAndNotSubnormal) {
  for (const char* text : {"sgd { momentum: 0.5 }", "rms_prop { decay: 0.5 centered: true }"}) {
    const auto optimizer = MakeFlatOptimizer(Config(text), 1);
    std::vector<float> parameter = {0}, gradient = {1};
    for (int i = 0; i < 300; ++i) {
      optimizer->Step(absl::MakeSpan(parameter), gradient, 1e-3, 1);
      gradient[0] = 0;
      v1::OptimizerState state;
      optimizer->Save(state);
      for (const std::string& bytes : state.moments()) {
        float moment;
        std::memcpy(&moment, bytes.data(), sizeof moment);
        ASSERT_TRUE(moment == 0 || std::isnormal(moment)) << text << " step " << i;
      }
    }
  }
}

TEST(ScheduledLearningRateTest, FallsToZeroAndStaysThere) {
  OptimizerConfig config = Config("learning_rate: 0.5");
  EXPECT_EQ(ScheduledLearningRate(config, 50, 100), 0.5);
  config.mutable_learning_rate_schedule()->set_shape(ScheduleConfig::LINEAR);
  EXPECT_EQ(ScheduledLearningRate(config, 0, 100), 0.5);
  EXPECT_EQ(ScheduledLearningRate(config, 75, 100), 0.125);
  EXPECT_EQ(ScheduledLearningRate(config, 200, 100), 0);
  EXPECT_EQ(ScheduledLearningRate(config, 200, 0), 0.5);  // No end: no schedule.
}

}  // namespace
}  // namespace cadre
