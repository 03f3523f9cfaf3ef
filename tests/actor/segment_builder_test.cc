// SegmentBuilder against a recorder that keeps each environment's steps by itself.
#include "actor/segment_builder.h"

#include <string>
#include <vector>

#include "common/experience/experience_spec.h"
#include "common/random.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

// Odd row sizes on purpose: 3, 2, 4, 8 and 5 bytes.
v1::ExperienceSpec Spec() {
  v1::ExperienceSpec spec;
  const auto add = [&spec](const char* name, v1::DType dtype, std::vector<int64_t> shape,
                           bool per_observation) {
    v1::ColumnSpec& column = *spec.add_columns();
    column.set_name(name);
    column.set_dtype(dtype);
    column.mutable_shape()->Add(shape.begin(), shape.end());
    column.set_per_observation(per_observation);
  };
  add("obs.a", v1::DTYPE_UINT8, {3}, true);
  add("obs.b", v1::DTYPE_UINT8, {2}, true);
  add("action", v1::DTYPE_INT32, {}, false);
  add("version", v1::DTYPE_INT64, {}, false);
  add("extra", v1::DTYPE_UINT8, {5}, false);
  return spec;
}

enum class End : uint8_t { kNone, kTerminated, kTruncated, kSkipped };

std::string Bytes(int64_t n, Random& random) {
  std::string bytes(n, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.Below(256));
  return bytes;
}

absl::Span<const std::byte> Span(const std::string& bytes) {
  return {reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()};
}

// Every segment is kept as it happens, and put together at the end.
class NaiveRecorder {
 public:
  explicit NaiveRecorder(const v1::ExperienceSpec& spec) {
    for (const v1::ColumnSpec& column : spec.columns()) row_bytes_.push_back(RowBytes(column));
  }

  void Step(int64_t environment, const std::vector<std::string>& rows, End end,
            const std::vector<std::string>& final_observations) {
    if (environment >= static_cast<int64_t>(segments_.size())) segments_.resize(environment + 1);
    std::vector<Recorded>& segments = segments_[environment];
    if (segments.empty() || segments.back().end != v1::SEGMENT_END_CUT)
      segments.push_back({std::vector<std::string>(row_bytes_.size())});
    Recorded& segment = segments.back();
    for (size_t i = 0; i < rows.size(); ++i)
      segment.columns[i] += rows[i].substr(environment * row_bytes_[i], row_bytes_[i]);
    ++segment.length;
    if (end == End::kNone) return;
    for (size_t c = 0; c < final_observations.size(); ++c)
      segment.columns[c] +=
          final_observations[c].substr(environment * row_bytes_[c], row_bytes_[c]);
    segment.end = end == End::kTerminated ? v1::SEGMENT_END_TERMINATED : v1::SEGMENT_END_TRUNCATED;
  }

  // No step. What was recorded of the episode ends in the observation that it would have begun
  // with; if all of that is in earlier rollouts, the step has to be recorded for it.
  void Skip(int64_t environment, const std::vector<std::string>& rows) {
    if (environment >= static_cast<int64_t>(segments_.size())) segments_.resize(environment + 1);
    open_.resize(segments_.size());
    std::vector<Recorded>& segments = segments_[environment];
    if (!segments.empty() && segments.back().end == v1::SEGMENT_END_CUT) {
      for (size_t c = 0; c < 2; ++c)
        segments.back().columns[c] += rows[c].substr(environment * row_bytes_[c], row_bytes_[c]);
      segments.back().end = v1::SEGMENT_END_TRUNCATED;
    } else if (segments.empty() && open_[environment] && !skipped_[environment]) {
      Step(environment, rows, End::kTruncated, {rows[0], rows[1]});
    }
    skipped_[environment] = true;
  }

  void Begin(int64_t environments) {
    skipped_.assign(environments, false);
    open_.resize(environments);
    segments_.resize(environments);
  }
  int64_t steps() const {
    int64_t steps = 0;
    for (const auto& segments : segments_)
      for (const Recorded& segment : segments) steps += segment.length;
    return steps;
  }

  v1::Rollout Finish(const std::vector<std::string>& observations) {
    v1::Rollout rollout;
    for (size_t i = 0; i < row_bytes_.size(); ++i) rollout.add_columns();
    for (size_t e = 0; e < segments_.size(); ++e)
      for (Recorded& segment : segments_[e]) {
        for (size_t c = 0; c < observations.size() && segment.end == v1::SEGMENT_END_CUT; ++c)
          segment.columns[c] += observations[c].substr(e * row_bytes_[c], row_bytes_[c]);
        for (size_t i = 0; i < row_bytes_.size(); ++i)
          *rollout.mutable_columns(static_cast<int>(i)) += segment.columns[i];
        v1::Segment& out = *rollout.add_segments();
        out.set_length(segment.length);
        out.set_end(segment.end);
        out.set_environment(static_cast<int32_t>(e));
      }
    for (size_t e = 0; e < segments_.size(); ++e)
      open_[e] = !segments_[e].empty() && segments_[e].back().end == v1::SEGMENT_END_CUT;
    segments_.clear();
    return rollout;
  }

 private:
  struct Recorded {
    std::vector<std::string> columns;
    int32_t length = 0;
    v1::SegmentEnd end = v1::SEGMENT_END_CUT;
  };
  std::vector<int64_t> row_bytes_;
  std::vector<std::vector<Recorded>> segments_;  // By environment.
  std::vector<bool> open_, skipped_;             // By environment.
};

// Records one rollout with both; `ends` [T][N]. Where steps are skipped there are more, without.
void CheckRollout(SegmentBuilder& builder, NaiveRecorder& naive, std::vector<std::vector<End>> ends,
                  Random& random) {
  const v1::ExperienceSpec spec = Spec();
  const int64_t n = static_cast<int64_t>(ends[0].size());
  const int64_t wanted = static_cast<int64_t>(ends.size()) * n;
  naive.Begin(n);
  for (size_t t = 0; naive.steps() < wanted; ++t) {
    ASSERT_EQ(builder.steps(), t);
    ASSERT_FALSE(builder.full());
    if (t == ends.size()) ends.emplace_back(n, End::kNone);
    std::vector<std::string> rows;
    for (const v1::ColumnSpec& column : spec.columns())
      rows.push_back(Bytes(n * RowBytes(column), random));
    const std::vector<std::string> finals = {Bytes(n * 3, random), Bytes(n * 2, random)};
    std::vector<uint8_t> terminated, truncated, skipped;
    for (int64_t e = 0; e < n; ++e) {
      skipped.push_back(ends[t][e] == End::kSkipped);
      terminated.push_back(ends[t][e] == End::kTerminated);
      truncated.push_back(ends[t][e] == End::kTruncated);
      if (ends[t][e] == End::kSkipped)
        naive.Skip(e, rows);
      else
        naive.Step(e, rows, ends[t][e], finals);
    }
    builder.AddObservations({Span(rows[0]), Span(rows[1])});
    for (int i = 2; i < spec.columns_size(); ++i) builder.AddColumn(i, Span(rows[i]));
    builder.EndStep(terminated, truncated, {Span(finals[0]), Span(finals[1])}, skipped);
  }
  ASSERT_TRUE(builder.full());
  const std::vector<std::string> observations = {Bytes(n * 3, random), Bytes(n * 2, random)};
  const v1::Rollout rollout = builder.Finish({Span(observations[0]), Span(observations[1])});
  const v1::Rollout expected = naive.Finish(observations);
  ASSERT_TRUE(ValidateRollout(spec, rollout).ok());
  ASSERT_EQ(rollout.segments_size(), expected.segments_size());
  for (int s = 0; s < expected.segments_size(); ++s)
    ASSERT_EQ(rollout.segments(s).SerializeAsString(), expected.segments(s).SerializeAsString())
        << "segment " << s << ": got {" << rollout.segments(s).ShortDebugString() << "}, wanted {"
        << expected.segments(s).ShortDebugString() << "}";
  for (int i = 0; i < expected.columns_size(); ++i)
    ASSERT_EQ(rollout.columns(i), expected.columns(i)) << spec.columns(i).name();
}

TEST(SegmentBuilderTest, EveryPatternOfEndsOfOneEnvironment) {
  constexpr int kSteps = 5;
  SegmentBuilder builder(Spec(), 1, kSteps);
  NaiveRecorder naive(Spec());
  Random random(1);
  for (int pattern = 0; pattern < 4 * 4 * 4 * 4 * 4; ++pattern) {
    std::vector<std::vector<End>> ends;
    for (int t = 0, rest = pattern; t < kSteps; ++t, rest /= 4)
      ends.push_back({static_cast<End>(rest % 4)});
    ASSERT_NO_FATAL_FAILURE(CheckRollout(builder, naive, ends, random)) << "pattern " << pattern;
  }
}

TEST(SegmentBuilderTest, RandomEpisodesOfSeveralEnvironments) {
  Random random(2);
  for (const auto& [n, steps] :
       std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {5, 1}, {1, 9}, {2, 3}, {7, 13}, {13, 7}}) {
    SegmentBuilder builder(Spec(), n, steps);
    NaiveRecorder naive(Spec());
    for (int round = 0; round < 60; ++round) {
      // From never to always.
      const double probability = (round % 6) / 5.0;
      std::vector<std::vector<End>> ends(steps, std::vector<End>(n, End::kNone));
      for (std::vector<End>& step : ends)
        for (End& end : step)
          if (random.Uniform() < probability)
            end = static_cast<End>(1 + random.Below(round % 2 == 0 ? 2 : 3));
      ASSERT_NO_FATAL_FAILURE(CheckRollout(builder, naive, ends, random)) << n << " x " << steps;
    }
  }
}

TEST(SegmentBuilderTest, ASkippedStepByHand) {
  v1::ExperienceSpec spec;
  spec.add_columns()->set_name("obs");
  spec.mutable_columns(0)->set_dtype(v1::DTYPE_UINT8);
  spec.mutable_columns(0)->set_per_observation(true);
  spec.add_columns()->set_name("action");
  spec.mutable_columns(1)->set_dtype(v1::DTYPE_UINT8);
  SegmentBuilder builder(spec, 2, 2);
  const auto step = [&](const std::string& obs, const std::string& action,
                        std::vector<uint8_t> skipped) {
    builder.AddObservations({Span(obs)});
    builder.AddColumn(1, Span(action));
    builder.EndStep({{0, 0}}, {{0, 0}}, {Span("??")}, skipped);
  };
  // The first environment breaks in its second step, and has a new episode, X; the rollout takes
  // one more step of both.
  step("Ap", "12", {0, 0});
  step("Bq", "34", {1, 0});
  EXPECT_FALSE(builder.full());
  step("Xr", "56", {0, 0});
  ASSERT_TRUE(builder.full());
  v1::Rollout rollout = builder.Finish({Span("Ys")});
  EXPECT_EQ(rollout.columns(0), "ABXYpqrs");
  EXPECT_EQ(rollout.columns(1), "15246");
  ASSERT_EQ(rollout.segments_size(), 3);
  EXPECT_EQ(rollout.segments(0).end(), v1::SEGMENT_END_TRUNCATED);
  EXPECT_EQ(rollout.segments(1).end(), v1::SEGMENT_END_CUT);
  EXPECT_EQ(rollout.segments(2).length(), 3);

  // It breaks again, before anything of its episode is in this rollout, where it was cut.
  step("Ys", "78", {1, 0});
  step("Zt", "90", {0, 0});
  ASSERT_TRUE(builder.full());
  rollout = builder.Finish({Span("!u")});
  EXPECT_EQ(rollout.columns(0), "YYZ!stu");
  EXPECT_EQ(rollout.segments(0).end(), v1::SEGMENT_END_TRUNCATED);
  EXPECT_EQ(rollout.segments(0).length(), 1);
}

TEST(SegmentBuilderTest, ByHand) {
  v1::ExperienceSpec spec;
  spec.add_columns()->set_name("obs");
  spec.mutable_columns(0)->set_dtype(v1::DTYPE_UINT8);
  spec.mutable_columns(0)->set_per_observation(true);
  spec.add_columns()->set_name("action");
  spec.mutable_columns(1)->set_dtype(v1::DTYPE_UINT8);
  SegmentBuilder builder(spec, 2, 3);
  const auto step = [&](const std::string& obs, const std::string& action,
                        std::vector<uint8_t> terminated, std::vector<uint8_t> truncated,
                        const std::string& finals) {
    builder.AddObservations({Span(obs)});
    builder.AddColumn(1, Span(action));
    builder.EndStep(terminated, truncated, {Span(finals)});
  };
  // The first environment's episode A ends after one step; the second's, p, at the end.
  step("Ap", "12", {1, 0}, {0, 0}, "!?");
  step("Bq", "34", {0, 0}, {0, 0}, "??");
  step("Cr", "56", {0, 0}, {0, 1}, "?.");
  const v1::Rollout rollout = builder.Finish({Span("Dz")});
  EXPECT_EQ(rollout.columns(0), "A!BCDpqr.");
  EXPECT_EQ(rollout.columns(1), "135246");
  ASSERT_EQ(rollout.segments_size(), 3);
  EXPECT_EQ(rollout.segments(0).end(), v1::SEGMENT_END_TERMINATED);
  EXPECT_EQ(rollout.segments(0).length(), 1);
  EXPECT_EQ(rollout.segments(1).end(), v1::SEGMENT_END_CUT);
  EXPECT_EQ(rollout.segments(1).length(), 2);
  EXPECT_EQ(rollout.segments(2).end(), v1::SEGMENT_END_TRUNCATED);
  EXPECT_EQ(rollout.segments(2).environment(), 1);
}

}  // namespace
}  // namespace cadre
