#include "common/spaces.h"

#include <vector>

#include "gtest/gtest.h"

namespace cadre {
namespace {

ObservationSpace Dictionary() {
  return {.columns = {{.name = "image", .dtype = v1::DTYPE_UINT8, .shape = {8, 8, 3}},
                      {.name = "speed", .shape = {2}},
                      {.name = "time", .shape = {}}}};
}

TEST(SpacesTest, SizesAreThoseOfAllColumns) {
  EXPECT_EQ(Dictionary().elements(), 192 + 2 + 1);
  EXPECT_EQ(Dictionary().bytes(), 192 + 8 + 4);
  EXPECT_EQ(Dictionary().floats(), 3);
}

TEST(SpacesTest, ADiscreteActionIsAnIntForEachChoice) {
  EXPECT_EQ(ActionSpace::Discrete(3).bytes(), 4);
  EXPECT_EQ(ActionSpace::Discrete(3).alternatives(), 3);
  const ActionSpace multi = ActionSpace::MultiDiscrete({3, 4, 2});
  EXPECT_TRUE(multi.discrete());
  EXPECT_EQ(multi.choices(), 3);
  EXPECT_EQ(multi.alternatives(), 9);
  EXPECT_EQ(multi.bytes(), 12);
  EXPECT_EQ(ActionSpace::MultiBinary(5).counts, std::vector<int64_t>(5, 2));
  const ActionSpace box{.kind = ActionSpace::Kind::kContinuous, .dimensions = 6};
  EXPECT_FALSE(box.discrete());
  EXPECT_EQ(box.bytes(), 24);
}

TEST(SpacesTest, TheMaskIsShownAfterTheObservation) {
  ActionSpace action = ActionSpace::MultiDiscrete({3, 4});
  EXPECT_EQ(ShownColumns(Dictionary(), action).size(), 3);
  action.masked = true;
  const std::vector<ObservationColumn> shown = ShownColumns(Dictionary(), action);
  ASSERT_EQ(shown.size(), 4);
  EXPECT_EQ(shown[1].name, "speed");
  EXPECT_EQ(shown[3].name, "action_mask");
  EXPECT_EQ(shown[3].bytes(), 7);
}

TEST(SpacesTest, EachKindIsDescribedByItself) {
  EXPECT_EQ(Describe(ObservationSpace{{{.shape = {4}}}}), "float32[4]");
  EXPECT_EQ(Describe(Dictionary()), "image uint8[8,8,3], speed float32[2], time float32[]");
  ActionSpace action = ActionSpace::Discrete(3);
  EXPECT_EQ(Describe(action), "3 choices");
  action.masked = true;
  EXPECT_EQ(Describe(action), "3 choices, masked");
  EXPECT_EQ(Describe(ActionSpace::MultiDiscrete({3, 2})), "choices of [3,2]");
  EXPECT_EQ(Describe(ActionSpace::MultiBinary(4)), "4 bits");
}

}  // namespace
}  // namespace cadre
