#include "common/experience/experience_spec.h"

#include <string>

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using ::testing::HasSubstr;

v1::ExperienceSpec Spec(const std::string& text) {
  v1::ExperienceSpec spec;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &spec)) << text;
  return spec;
}

v1::ExperienceSpec GoodSpec() {
  return Spec(
      "columns { name: 'obs' dtype: DTYPE_FLOAT32 shape: [2, 3] per_observation: true }"
      "columns { name: 'action' dtype: DTYPE_INT32 }"
      "columns { name: 'reward' dtype: DTYPE_FLOAT64 }");
}

// Two segments of 2 and 1 steps.
v1::Rollout GoodRollout() {
  v1::Rollout rollout;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
      "segments { length: 2 end: SEGMENT_END_CUT } "
      "segments { length: 1 end: SEGMENT_END_TRUNCATED }",
      &rollout));
  rollout.add_columns(std::string(5 * 6 * 4, '\0'));
  rollout.add_columns(std::string(3 * 4, '\0'));
  rollout.add_columns(std::string(3 * 8, '\0'));
  return rollout;
}

TEST(ExperienceSpecTest, KnowsSizes) {
  const v1::ExperienceSpec spec = GoodSpec();
  EXPECT_EQ(DTypeBytes(v1::DTYPE_UINT8), 1);
  EXPECT_EQ(DTypeBytes(v1::DTYPE_INT64), 8);
  EXPECT_EQ(DTypeBytes(v1::DTYPE_UNSPECIFIED), 0);
  EXPECT_EQ(RowElements(spec.columns(0)), 6);
  EXPECT_EQ(RowBytes(spec.columns(0)), 24);
  EXPECT_EQ(RowBytes(spec.columns(1)), 4);
  EXPECT_EQ(ColumnIndex(spec, "reward"), 2);
  EXPECT_EQ(ColumnIndex(spec, "rewrad"), -1);
  EXPECT_EQ(RolloutSteps(GoodRollout()), 3);
  EXPECT_EQ(RolloutObservations(GoodRollout()), 5);
  EXPECT_EQ(RolloutBytes(GoodRollout()), 120 + 12 + 24);
}

TEST(ExperienceSpecTest, ShowsBothSpecsWhereTheyDiffer) {
  EXPECT_EQ(CheckSameSpec(GoodSpec(), GoodSpec()), absl::OkStatus());
  const absl::Status status =
      CheckSameSpec(Spec("columns { name: 'obs' dtype: DTYPE_FLOAT32 shape: 4 }"),
                    Spec("columns { name: 'obs' dtype: DTYPE_UINT8 shape: 4 }"));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(std::string(status.message()),
            "experience spec differs: got {obs uint8[4]}; wanted {obs float32[4]}");
}

TEST(ExperienceSpecTest, RefusesSpecsThatNoColumnCanHave) {
  EXPECT_EQ(ValidateSpec(GoodSpec()), absl::OkStatus());
  for (const char* text : {
           "",
           "columns { name: '' dtype: DTYPE_INT32 }",
           "columns { name: 'a' dtype: DTYPE_INT32 } columns { name: 'a' dtype: DTYPE_INT32 }",
           "columns { name: 'a' }",
           "columns { name: 'a' dtype: DTYPE_INT32 shape: 0 }",
           "columns { name: 'a' dtype: DTYPE_INT32 shape: -1 }",
           "columns { name: 'a' dtype: DTYPE_INT32 shape: [4294967296, 4294967296] }",
           "columns { name: 'a' dtype: DTYPE_UINT8 shape: [65536, 65536, 2] }",
       })
    EXPECT_EQ(ValidateSpec(Spec(text)).code(), absl::StatusCode::kInvalidArgument) << text;
}

TEST(ExperienceSpecTest, RefusesRolloutsThatDoNotFitTheirSpec) {
  const v1::ExperienceSpec spec = GoodSpec();
  EXPECT_EQ(ValidateRollout(spec, GoodRollout()), absl::OkStatus());
  const auto error = [&](auto change) {
    v1::Rollout rollout = GoodRollout();
    change(rollout);
    const absl::Status status = ValidateRollout(spec, rollout);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_EQ(error([](v1::Rollout& r) { r.clear_segments(); }),
            "rollout has no segments; wanted 1 or more");
  EXPECT_EQ(error([](v1::Rollout& r) { r.mutable_segments(1)->set_length(0); }),
            "segment 1 has length 0; wanted 1 or more");
  EXPECT_EQ(error([](v1::Rollout& r) { r.mutable_segments(0)->clear_end(); }),
            "segment 0 has end 0; wanted CUT, TERMINATED or TRUNCATED");
  EXPECT_THAT(error([](v1::Rollout& r) { r.mutable_columns()->RemoveLast(); }),
              HasSubstr("rollout has 2 columns; wanted 3: obs float32[2,3] per observation, "));
  EXPECT_EQ(error([](v1::Rollout& r) { r.mutable_columns(0)->resize(4 * 24); }),
            "column 'obs' has 96 bytes; wanted 5 rows of 24 bytes");
  EXPECT_EQ(error([](v1::Rollout& r) { r.mutable_columns(2)->push_back('x'); }),
            "column 'reward' has 25 bytes; wanted 3 rows of 8 bytes");
}

}  // namespace
}  // namespace cadre
