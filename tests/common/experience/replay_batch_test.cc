#include "common/experience/replay_batch.h"

#include <string>

#include "common/experience/experience_spec.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

template <typename T>
T Parsed(const std::string& text) {
  T message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

constexpr char kSpec[] =
    "columns { name: 'obs' dtype: DTYPE_FLOAT32 shape: [4, 2] per_observation: true }"
    "columns { name: 'action' dtype: DTYPE_INT32 }"
    "columns { name: 'reward' dtype: DTYPE_FLOAT32 }"
    "columns { name: 'core' dtype: DTYPE_FLOAT64 shape: 3 per_observation: true }";

std::string ColumnsOf(const std::string& table, const std::string& spec = kSpec) {
  const absl::StatusOr<std::vector<v1::ColumnSpec>> columns =
      BatchColumns(Parsed<TableConfig>(table), Parsed<v1::ExperienceSpec>(spec));
  if (!columns.ok()) return std::string(columns.status().message());
  v1::ExperienceSpec described;
  for (const v1::ColumnSpec& column : *columns) *described.add_columns() = column;
  return DescribeSpec(described);
}

TEST(BatchColumnsTest, OfTransitionsHaveTheNextObservationAndTheDiscount) {
  EXPECT_EQ(ColumnsOf("transitions { n_step: 3 }"),
            "obs float32[4,2], action int32[], reward float32[], core float64[3], "
            "next_obs float32[4,2], next_core float64[3], discount float32[]");
  EXPECT_EQ(ColumnsOf(""), ColumnsOf("transitions {}"));
}

TEST(BatchColumnsTest, OfSequencesHaveRowsForEachStepAndOneMoreForEachObservation) {
  EXPECT_EQ(ColumnsOf("sequences { burn_in: 2 length: 5 }"),
            "obs float32[8,4,2], action int32[7], reward float32[7], core float64[8,3], "
            "length int32[], terminated uint8[]");
}

TEST(BatchColumnsTest, AStateColumnComesOnceForEachSequence) {
  EXPECT_EQ(ColumnsOf("sequences { burn_in: 2 length: 5 state_columns: 'core' }"),
            "obs float32[8,4,2], action int32[7], reward float32[7], core float64[3], "
            "length int32[], terminated uint8[]");
  EXPECT_THAT(ColumnsOf("sequences { state_columns: 'cor' }"),
              testing::StartsWith("state column 'cor' is not in the spec {obs float32[4,2]"));
}

TEST(BatchColumnsTest, SeveralStepsWantARewardThatCanBeSummed) {
  const std::string obs =
      "columns { name: 'obs' dtype: DTYPE_FLOAT32 shape: 4 per_observation: true }";
  EXPECT_EQ(ColumnsOf("transitions { n_step: 1 }", obs),
            "obs float32[4], next_obs float32[4], discount float32[]");
  EXPECT_EQ(ColumnsOf("sequences { length: 2 }", obs),
            "obs float32[3,4], length int32[], terminated uint8[]");
  EXPECT_EQ(ColumnsOf("transitions { n_step: 2 }", obs),
            "items of 2 steps want a column reward float32[]; got {obs float32[4] per "
            "observation}");
  for (const char* reward : {"dtype: DTYPE_FLOAT64", "dtype: DTYPE_FLOAT32 shape: 1",
                             "dtype: DTYPE_FLOAT32 per_observation: true"})
    EXPECT_THAT(ColumnsOf("transitions { n_step: 2 }",
                          obs + "columns { name: 'reward' " + std::string(reward) + " }"),
                testing::StartsWith("items of 2 steps want a column reward float32[]"))
        << reward;
}

TEST(BatchColumnsTest, NoNameComesTwice) {
  const auto spec = [](const std::string& name) {
    return "columns { name: 'obs' dtype: DTYPE_FLOAT32 per_observation: true } columns { name: '" +
           name + "' dtype: DTYPE_FLOAT32 }";
  };
  for (const char* name : {"next_obs", "discount"})
    EXPECT_EQ(ColumnsOf("", spec(name)), "column '" + std::string(name) +
                                             "' would come twice in a batch; wanted another name");
  for (const char* name : {"length", "terminated"})
    EXPECT_THAT(ColumnsOf("sequences {}", spec(name)), testing::HasSubstr("would come twice"));
  EXPECT_THAT(ColumnsOf("", spec("length")), testing::Not(testing::HasSubstr("twice")));
}

}  // namespace
}  // namespace cadre
