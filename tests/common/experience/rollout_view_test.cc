#include "common/experience/rollout_view.h"

#include <cmath>
#include <string>

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using testing::HasSubstr;

v1::ExperienceSpec Spec() {
  v1::ExperienceSpec spec;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
      "columns { name: 'obs' dtype: DTYPE_FLOAT32 shape: 2 per_observation: true }"
      "columns { name: 'reward' dtype: DTYPE_FLOAT32 }",
      &spec));
  return spec;
}

// Two segments of 2 and 1 steps.
std::shared_ptr<v1::Rollout> Rollout() {
  auto rollout = std::make_shared<v1::Rollout>();
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
      "run_id: 'run' writer_id: 7 sequence: 3 version: 11 actor: 2 "
      "segments { length: 2 end: SEGMENT_END_CUT } "
      "segments { length: 1 end: SEGMENT_END_TRUNCATED environment: 4 } "
      "episodes { total_reward: 1.5 length: 9 } priorities: [1, 0, 2.5]",
      rollout.get()));
  std::string obs(5 * 8, '\0');
  for (size_t i = 0; i < obs.size(); ++i) obs[i] = static_cast<char>(i);
  rollout->add_columns(obs);
  rollout->add_columns(std::string(3 * 4, '\1'));
  return rollout;
}

absl::Span<const std::byte> Bytes(absl::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

std::string Copied(const PiecewiseBytes& pieces, int64_t offset, int64_t size) {
  std::string to(size, '?');
  CopyBytes(pieces, offset, size, reinterpret_cast<std::byte*>(to.data()));
  return to;
}

TEST(RolloutViewTest, ShowsAllOfARolloutAndKeepsItAlive) {
  std::shared_ptr<v1::Rollout> rollout = Rollout();
  const std::weak_ptr<v1::Rollout> life = rollout;
  const std::string obs = rollout->columns(0);
  RolloutView view = ViewOf(std::move(rollout));
  EXPECT_FALSE(life.expired());
  EXPECT_EQ(std::string(view.run_id), "run");
  EXPECT_EQ(view.writer_id, 7);
  EXPECT_EQ(view.sequence, 3);
  EXPECT_EQ(view.version, 11);
  EXPECT_EQ(view.actor, 2);
  ASSERT_EQ(view.segments.size(), 2);
  EXPECT_EQ(view.segments[1].environment(), 4);
  ASSERT_EQ(view.episodes.size(), 1);
  EXPECT_EQ(view.episodes[0].length(), 9);
  EXPECT_THAT(view.priorities, testing::ElementsAre(1, 0, 2.5));
  EXPECT_EQ(view.steps(), 3);
  EXPECT_EQ(view.payload_bytes(), 40 + 12);
  ASSERT_EQ(view.columns.size(), 2);
  EXPECT_EQ(Copied(view.columns[0], 0, 40), obs);
  EXPECT_EQ(ValidateRolloutView(Spec(), view), absl::OkStatus());
  RolloutView copy = view;
  view = {};
  EXPECT_FALSE(life.expired()) << "the copy shares the payload";
  copy = {};
  EXPECT_TRUE(life.expired());
}

TEST(RolloutViewTest, CopiesAnyRangeAcrossPieces) {
  const std::string whole = "abcdefghij";
  const PiecewiseBytes pieces = {Bytes("abc"), Bytes(""), Bytes("d"), Bytes("efghi"), Bytes("j")};
  for (int64_t offset = 0; offset <= 10; ++offset)
    for (int64_t size = 0; offset + size <= 10; ++size)
      ASSERT_EQ(Copied(pieces, offset, size), whole.substr(offset, size));
  EXPECT_DEATH(Copied(pieces, 4, 7), "check failed");
}

TEST(RolloutViewTest, AColumnsPiecesCountTogether) {
  RolloutView view = ViewOf(Rollout());
  // The same bytes, cut within a row.
  const absl::Span<const std::byte> obs = view.columns[0][0];
  view.columns[0] = {obs.subspan(0, 13), {}, obs.subspan(13)};
  EXPECT_EQ(ValidateRolloutView(Spec(), view), absl::OkStatus());
  EXPECT_EQ(view.payload_bytes(), 52);
  view.columns[0].pop_back();
  const absl::Status status = ValidateRolloutView(Spec(), view);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(status.message()), "column 'obs' has 13 bytes; wanted 5 rows of 8 bytes");
}

TEST(RolloutViewTest, RefusesWhatDoesNotFitTheSpec) {
  RolloutView view = ViewOf(Rollout());
  view.columns.pop_back();
  EXPECT_THAT(std::string(ValidateRolloutView(Spec(), view).message()),
              HasSubstr("rollout has 1 columns; wanted 2"));
  view = ViewOf(Rollout());
  view.segments[1].set_length(0);
  EXPECT_THAT(std::string(ValidateRolloutView(Spec(), view).message()),
              HasSubstr("segment 1 has length 0"));
  view = ViewOf(Rollout());
  view.segments.clear();
  EXPECT_EQ(ValidateRolloutView(Spec(), view).code(), absl::StatusCode::kInvalidArgument);
}

TEST(RolloutViewTest, PrioritiesAreNoneOrOneForEachStepFiniteAndNotNegative) {
  RolloutView view = ViewOf(Rollout());
  view.priorities.clear();
  EXPECT_EQ(ValidateRolloutView(Spec(), view), absl::OkStatus());
  view.priorities = {1, 2};
  EXPECT_EQ(std::string(ValidateRolloutView(Spec(), view).message()),
            "rollout has 2 priorities; wanted none or one for each of 3 steps");
  for (const float bad : {-1.0f, -1e-30f, std::nanf(""), HUGE_VALF, -HUGE_VALF}) {
    view.priorities = {1, bad, 2};
    const absl::Status status = ValidateRolloutView(Spec(), view);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_THAT(std::string(status.message()), HasSubstr("priority of step 1 is")) << bad;
  }
  view.priorities = {0, 3e38f, 1e-40f};
  EXPECT_EQ(ValidateRolloutView(Spec(), view), absl::OkStatus());
}

}  // namespace
}  // namespace cadre
