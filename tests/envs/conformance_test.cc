// Every registered environment conforms; and the check does find what is wrong.
#include "tests/envs/conformance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "envs/batch_of.h"
#include "envs/conformance.h"
#include "envs/encoding.h"
#include "envs/mujoco/mujoco.h"
#include "envs/registry.h"

namespace cadre {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RegisteredEnvironmentTest : public testing::TestWithParam<EnvironmentSpec> {};

TEST_P(RegisteredEnvironmentTest, Conforms) {
  const bool mujoco = FindGymnasiumTask(GetParam().id) != nullptr;
  if (mujoco && !MujocoBuiltIn()) GTEST_SKIP() << "built without MuJoCo";
  CheckConformance([] { return MakeEnvironment(GetParam().id).value(); }, mujoco ? 150 : 3000);
  const int64_t steps = mujoco ? 50 : 500;
  const Conformance batch = CheckEnvironment(
      [](int64_t count) { return MakeVectorEnvironment(GetParam().id, count); }, steps);
  EXPECT_THAT(batch.faults, IsEmpty());
  EXPECT_GE(batch.steps, 3 * steps);
}

INSTANTIATE_TEST_SUITE_P(All, RegisteredEnvironmentTest,
                         testing::ValuesIn(RegisteredEnvironments()),
                         [](const testing::TestParamInfo<EnvironmentSpec>& info) {
                           std::string name = info.param.id;
                           std::erase_if(name, [](char c) {
                             return !std::isalnum(static_cast<unsigned char>(c));
                           });
                           return name;
                         });

enum class Fault {
  kNone,
  kUnwritten,
  kOverrun,
  kNotFinite,
  kOutOfBounds,
  kIgnoresSeed,
  kRemembers,
  kNotClipped,
  kInfiniteReward,
  kBoundsMissing,
  kNothingAllowed,
};

// A random walk in one dimension, with one thing wrong.
class FaultyEnvironment final : public Environment {
 public:
  explicit FaultyEnvironment(Fault fault) : fault_(fault) {
    spec_.id = "Faulty-v0";
    spec_.observation.columns = {{.shape = {2}, .low = {-5, -5}, .high = {5, 5}}};
    spec_.action = {
        .kind = ActionSpace::Kind::kContinuous, .dimensions = 1, .low = {-1}, .high = {1}};
    if (fault == Fault::kNothingAllowed) {
      spec_.action = ActionSpace::Discrete(2);
      spec_.action.masked = true;
    }
    if (fault == Fault::kBoundsMissing) spec_.observation.columns[0].high.pop_back();
  }

  const EnvironmentSpec& spec() const override { return spec_; }

  void Reset(Random& random, ObservationRow observation) override {
    position_ = fault_ == Fault::kIgnoresSeed ? 0 : static_cast<float>(random.Uniform(-1, 1));
    if (fault_ != Fault::kRemembers) steps_ = 0;
    Observe(observation[0]);
    if (fault_ == Fault::kNothingAllowed) std::memset(observation[1].data(), 0, 2);
  }

  StepResult Step(absl::Span<const std::byte> action, Random&,
                  ObservationRow observation) override {
    if (fault_ == Fault::kNothingAllowed) {
      std::memset(observation[1].data(), 0, 2);
      Observe(observation[0]);
      return {};
    }
    const float limit = fault_ == Fault::kNotClipped ? 100 : 1;
    position_ += ContinuousAction(action, 0, -limit, limit);
    ++steps_;
    Observe(observation[0]);
    return {.reward = fault_ == Fault::kInfiniteReward ? INFINITY : position_,
            .terminated = std::abs(position_) > 4};
  }

 private:
  void Observe(absl::Span<std::byte> observation) const {
    float second = static_cast<float>(steps_ % 4);
    if (fault_ == Fault::kNotFinite && steps_ == 7) second = NAN;
    if (fault_ == Fault::kOutOfBounds && steps_ == 7) second = 6;
    std::memcpy(observation.data(), &position_, 4);
    if (fault_ != Fault::kUnwritten) std::memcpy(observation.data() + 4, &second, 4);
    if (fault_ == Fault::kOverrun) std::memcpy(observation.data() + 8, &second, 4);
  }

  const Fault fault_;
  EnvironmentSpec spec_;
  float position_ = 0;
  int64_t steps_ = 0;
};

std::vector<std::string> ViolationsOf(Fault fault) {
  return ConformanceViolations([fault] { return std::make_unique<FaultyEnvironment>(fault); });
}

TEST(ConformanceTest, PassesWhatIsRight) { EXPECT_THAT(ViolationsOf(Fault::kNone), IsEmpty()); }

TEST(ConformanceTest, FindsWhatIsWrong) {
  const auto finds = [](absl::string_view text) { return Contains(HasSubstr(std::string(text))); };
  EXPECT_THAT(ViolationsOf(Fault::kUnwritten), finds("same seed and actions, different"));
  EXPECT_THAT(ViolationsOf(Fault::kOverrun), finds("writes outside its observation"));
  EXPECT_THAT(ViolationsOf(Fault::kNotFinite), finds("observation 1 is nan"));
  EXPECT_THAT(ViolationsOf(Fault::kOutOfBounds),
              finds("observation 1 is 6; its bounds are -5 and 5"));
  EXPECT_THAT(ViolationsOf(Fault::kIgnoresSeed), finds("different seeds, same episodes"));
  EXPECT_THAT(ViolationsOf(Fault::kRemembers), finds("an earlier episode shows"));
  EXPECT_THAT(ViolationsOf(Fault::kNotClipped), finds("action 0 is not clipped to its high"));
  EXPECT_THAT(ViolationsOf(Fault::kInfiniteReward), finds("reward is inf"));
  EXPECT_THAT(ViolationsOf(Fault::kNothingAllowed), finds("the mask allows nothing of choice 0"));
  EXPECT_THAT(ViolationsOf(Fault::kBoundsMissing), finds("observation bounds differ"));
}

// The suite that anybody can run finds the same in a batch.
std::vector<std::string> FaultsOf(Fault fault) {
  return CheckEnvironment(
             [fault](int64_t count) -> absl::StatusOr<std::unique_ptr<VectorEnvironment>> {
               std::vector<FaultyEnvironment> environments(count, FaultyEnvironment(fault));
               return std::make_unique<BatchOf<FaultyEnvironment>>(std::move(environments), 0);
             },
             301)
      .faults;
}

TEST(CheckEnvironmentTest, PassesWhatIsRight) { EXPECT_THAT(FaultsOf(Fault::kNone), IsEmpty()); }

TEST(CheckEnvironmentTest, FindsWhatIsWrong) {
  const auto finds = [](absl::string_view text) { return Contains(HasSubstr(std::string(text))); };
  EXPECT_THAT(FaultsOf(Fault::kNotFinite), finds("element 1 of 'obs' is nan"));
  EXPECT_THAT(FaultsOf(Fault::kOutOfBounds), finds("element 1 of 'obs' is 6; its bounds are"));
  EXPECT_THAT(FaultsOf(Fault::kIgnoresSeed), finds("different seeds give the same episodes"));
  EXPECT_THAT(FaultsOf(Fault::kRemembers), finds("the same seed and actions differ"));
  EXPECT_THAT(FaultsOf(Fault::kNotClipped), finds("action 0 is not clipped to its high"));
  EXPECT_THAT(FaultsOf(Fault::kInfiniteReward), finds("reward is inf"));
  EXPECT_THAT(FaultsOf(Fault::kNothingAllowed), finds("the mask allows nothing of choice 0"));
  EXPECT_THAT(FaultsOf(Fault::kBoundsMissing), finds("observation bounds differ"));
}

TEST(CheckEnvironmentTest, SaysWhyThereIsNone) {
  EXPECT_THAT(
      CheckEnvironment([](int64_t n) { return MakeVectorEnvironment("Chess-v0", n); }, 1).faults,
      ElementsAre(HasSubstr("it cannot be made: unknown environment 'Chess-v0'")));
}

}  // namespace
}  // namespace cadre
