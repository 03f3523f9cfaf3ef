#include "actor/delayed_parameter_source.h"

#include <cstdint>
#include <limits>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using testing::ElementsAre;

constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

// What it has is what was published; what would wait is CANCELLED.
class PublishedParameters final : public ParameterSource {
 public:
  void Publish(int64_t version) {
    auto parameters = std::make_shared<v1::Parameters>();
    parameters->set_version(version);
    newest_ = std::move(parameters);
  }
  ParametersPtr Newest() override { return newest_; }
  absl::StatusOr<ParametersPtr> WaitNewer(int64_t version, absl::Duration) override {
    if (newest_ == nullptr || newest_->version() <= version)
      return absl::CancelledError("would wait for ever");
    return newest_;
  }
  v1::RunState run_state() override { return v1::RUN_STATE_RUNNING; }
  void Close() override {}

 private:
  ParametersPtr newest_;
};

int64_t Waited(DelayedParameterSource& source, int64_t known) {
  const auto parameters = source.WaitNewer(known, absl::InfiniteDuration());
  return parameters.ok() ? (*parameters)->version() : -1;
}

TEST(DelayedParameterSourceTest, InLockstepEachNewVersionBringsTheOneThatManyBefore) {
  PublishedParameters published;
  DelayedParameterSource source(&published, 3, kNoLimit);
  EXPECT_EQ(Waited(source, 0), -1);
  std::vector<int64_t> versions = {0};
  for (int64_t version = 1; version <= 8; ++version) {
    published.Publish(version);
    versions.push_back(Waited(source, versions.back()));
    EXPECT_EQ(Waited(source, versions.back()), -1) << "once for each version";
  }
  // The oldest until there are enough.
  EXPECT_THAT(versions, ElementsAre(0, 1, 1, 1, 1, 2, 3, 4, 5));
}

TEST(DelayedParameterSourceTest, TheNewestIsThatManyVersionsOld) {
  PublishedParameters published;
  DelayedParameterSource source(&published, 2, kNoLimit);
  EXPECT_EQ(source.Newest(), nullptr);
  std::vector<int64_t> versions;
  for (int64_t version = 5; version <= 9; ++version) {
    published.Publish(version);
    versions.push_back(source.Newest()->version());
  }
  EXPECT_THAT(versions, ElementsAre(5, 5, 5, 6, 7));
}

TEST(DelayedParameterSourceTest, WhoAsksForAnyNewerThanItsPredecessorDoesNotWait) {
  PublishedParameters published;
  DelayedParameterSource source(&published, 2, kNoLimit);
  for (int64_t version = 1; version <= 6; ++version) {
    published.Publish(version);
    source.Newest();
  }
  EXPECT_EQ(Waited(source, /*known=*/3), 4);
  EXPECT_EQ(Waited(source, /*known=*/3), 4);
  EXPECT_EQ(Waited(source, /*known=*/4), -1);
}

TEST(DelayedParameterSourceTest, VersionsThatTheSourceSkippedMakeItOlderNeverNewer) {
  PublishedParameters published;
  DelayedParameterSource source(&published, 3, kNoLimit);
  std::vector<int64_t> versions;
  for (const int64_t version : {1, 5, 7, 8, 10}) {
    published.Publish(version);
    versions.push_back(source.Newest()->version());
  }
  EXPECT_THAT(versions, ElementsAre(1, 1, 1, 5, 7));
}

// Two versions behind may be used, five would be dropped.
TEST(DelayedParameterSourceTest, ALearnerThatBeganAgainFarAboveIsFollowedAtOnce) {
  PublishedParameters published;
  DelayedParameterSource source(&published, 2, 4);
  std::vector<int64_t> versions = {0};
  for (const int64_t version : {7, 8, 9, 1010, 1011, 1012, 1013}) {
    published.Publish(version);
    versions.push_back(Waited(source, versions.back()));
    EXPECT_EQ(Waited(source, versions.back()), -1) << "once for each version";
  }
  EXPECT_THAT(versions, ElementsAre(0, 7, 7, 7, 1010, 1010, 1010, 1011));
}

TEST(DelayedParameterSourceTest, WithoutDelayItIsTheSource) {
  PublishedParameters published;
  DelayedParameterSource source(&published, 0, kNoLimit);
  for (const int64_t version : {1, 2, 7}) {
    published.Publish(version);
    EXPECT_EQ(Waited(source, version - 1), version);
    EXPECT_EQ(source.Newest()->version(), version);
  }
}

}  // namespace
}  // namespace cadre
