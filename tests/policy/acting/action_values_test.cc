#include "policy/acting/action_values.h"

#include <cmath>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using testing::ElementsAre;
using testing::FloatNear;

TEST(AddStateValuesTest, SubtractsTheMeanAdvantageOfEachRow) {
  std::vector<float> q = {1, 2, 6, /**/ -3, 0, 0};
  AddStateValues(std::vector<float>{2, 10}, /*actions=*/3, /*atoms=*/1, absl::MakeSpan(q));
  EXPECT_THAT(q, ElementsAre(0, 1, 5, 8, 11, 11));
}

TEST(AddStateValuesTest, EachAtomHasItsOwnMean) {
  // Two actions of two atoms each; the means are 2 and 15.
  std::vector<float> q = {1, 10, 3, 20};
  AddStateValues(std::vector<float>{0.5, 100}, /*actions=*/2, /*atoms=*/2, absl::MakeSpan(q));
  EXPECT_THAT(q, ElementsAre(-0.5, 95, 1.5, 105));
}

TEST(StateValueGradientTest, IsTheSumOverActionsAndTakesTheMeanOut) {
  std::vector<float> gradient = {1, 0, 0, 0, 2, 3};  // Three actions of two atoms each.
  std::vector<float> state_values(2);
  StateValueGradient(absl::MakeSpan(gradient), /*actions=*/3, /*atoms=*/2,
                     absl::MakeSpan(state_values));
  EXPECT_THAT(state_values, ElementsAre(3, 3));
  EXPECT_THAT(gradient, ElementsAre(0, -1, -1, -1, 1, 2));
}

TEST(ExpectedValuesTest, IsTheMeanOfTheDistribution) {
  // Probabilities 0.2, 0.3, 0.5 of -2, 1, 4, and all of it on -2, whatever is added to
  // the logits.
  std::vector<float> logits;
  for (const double p : {0.2, 0.3, 0.5}) logits.push_back(static_cast<float>(std::log(p) + 500));
  for (const float logit : {0.0f, -1000.0f, -1000.0f}) logits.push_back(logit);
  std::vector<float> values(2);
  ExpectedValues(logits, /*atoms=*/3, -2, 4, absl::MakeSpan(values));
  EXPECT_THAT(values, ElementsAre(FloatNear(1.9f, 1e-4f), -2));
}

}  // namespace
}  // namespace cadre
