#include "common/tensor_view.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using ::testing::ElementsAre;

TEST(TensorViewTest, ReadsAndWritesColumnsInPlace) {
  std::string bytes(12, '\0');
  const absl::Span<float> column = MutableColumnAs<float>(&bytes);
  ASSERT_EQ(column.size(), 3);
  column[1] = 2.5f;
  EXPECT_THAT(ColumnAs<float>(bytes), ElementsAre(0.0f, 2.5f, 0.0f));
  EXPECT_EQ(static_cast<const void*>(ColumnAs<float>(bytes).data()), bytes.data()) << "a copy";

  alignas(8) std::byte raw[16] = {};
  MutableColumnAs<int64_t>(absl::MakeSpan(raw))[1] = -7;
  EXPECT_THAT(ColumnAs<int64_t>(absl::MakeConstSpan(raw)), ElementsAre(0, -7));
}

TEST(TensorViewTest, AnEmptyColumnHasNoValues) {
  EXPECT_TRUE(ColumnAs<double>(absl::string_view()).empty());
}

TEST(TensorViewDeathTest, RefusesHalvesOfValuesAndWrongAlignment) {
  alignas(8) const std::byte raw[16] = {};
  EXPECT_DEATH(ColumnAs<float>(absl::MakeConstSpan(raw, 6)), "check failed");
  EXPECT_DEATH(ColumnAs<float>(absl::MakeConstSpan(raw + 1, 4)), "check failed");
}

class RolloutColumnTest : public testing::Test {
 protected:
  RolloutColumnTest() {
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
        "columns { name: 'obs' dtype: DTYPE_FLOAT32 shape: 2 per_observation: true }"
        "columns { name: 'reward' dtype: DTYPE_FLOAT64 }",
        &spec_));
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
        "segments { length: 2 end: SEGMENT_END_CUT } "
        "segments { length: 1 end: SEGMENT_END_TERMINATED }",
        &rollout_));
    rollout_.add_columns(std::string(5 * 2 * 4, '\0'));  // 3 steps + 2 segments.
    rollout_.add_columns(std::string(3 * 8, '\0'));
    MutableColumnAs<float>(rollout_.mutable_columns(0))[9] = 4;
    MutableColumnAs<double>(rollout_.mutable_columns(1))[2] = -1;
    EXPECT_EQ(ValidateRollout(spec_, rollout_), absl::OkStatus());
  }

  v1::ExperienceSpec spec_;
  v1::Rollout rollout_;
};

TEST_F(RolloutColumnTest, KnowsShapeAndType) {
  const TensorView observations = RolloutColumn(spec_, rollout_, 0);
  EXPECT_THAT(observations.shape, ElementsAre(5, 2));
  EXPECT_EQ(observations.dtype, v1::DTYPE_FLOAT32);
  EXPECT_EQ(observations.As<float>()[9], 4);
  const TensorView rewards = RolloutColumn(spec_, rollout_, 1);
  EXPECT_THAT(rewards.shape, ElementsAre(3));
  EXPECT_THAT(rewards.As<double>(), ElementsAre(0, 0, -1));
}

TEST_F(RolloutColumnTest, RefusesAnotherType) {
  EXPECT_DEATH(RolloutColumn(spec_, rollout_, 0).As<int32_t>(), "check failed");
  EXPECT_DEATH(RolloutColumn(spec_, rollout_, 2), "check failed");
}

}  // namespace
}  // namespace cadre
