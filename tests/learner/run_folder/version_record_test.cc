#include "learner/run_folder/version_record.h"

#include <filesystem>
#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/learner/fake_parameter_sink.h"
#include "tests/learner/temp_folder.h"

namespace cadre {
namespace {

using testing::HasSubstr;

class VersionRecordTest : public testing::Test {
 protected:
  // As the next process would; the one before is not asked to write anything.
  int64_t HighestOfNextLife(const std::string& boot = "first boot") const {
    auto record = VersionRecord::Open(path_, boot);
    EXPECT_TRUE(record.ok()) << record.status();
    return (*record)->highest();
  }

  const TempFolder folder_;
  const std::string path_ = VersionRecordPath(folder_.path(), 0);
};

TEST_F(VersionRecordTest, WithoutAFileNothingWasPublishedAndNothingIsWritten) {
  EXPECT_EQ(HighestOfNextLife(), 0);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(VersionRecordTest, ALifeThatIsKilledLeavesExactlyWhatItPublishedLast) {
  auto record = *VersionRecord::Open(path_, "first boot");
  for (int64_t version = 1; version <= 2500; ++version) {
    ASSERT_TRUE(record->Add(version).ok());
    if (version % 499 == 1) EXPECT_EQ(HighestOfNextLife(), version) << "while it lives";
  }
  EXPECT_EQ(HighestOfNextLife(), 2500);
}

TEST_F(VersionRecordTest, AMachineThatWentDownMayHaveLostWhatWasNotSynced) {
  auto record = *VersionRecord::Open(path_, "first boot");
  ASSERT_TRUE(record->Add(1).ok());
  const std::string synced = Slurp(path_);
  for (int64_t version = 2; version <= 700; ++version) ASSERT_TRUE(record->Add(version).ok());
  Spill(path_, synced);  // As the disk has it after the power came back.
  EXPECT_GE(HighestOfNextLife("second boot"), 700);
  // Where the system has no boot id, every life might be another.
  EXPECT_GE(HighestOfNextLife(""), 700);
}

TEST_F(VersionRecordTest, VersionsNeverGoBackOverManyLivesOnManyMachines) {
  int64_t published = 0;
  for (int life = 0; life < 20; ++life) {
    auto record = *VersionRecord::Open(path_, life % 3 == 0 ? "here" : "there");
    EXPECT_GE(record->highest(), published);
    for (int64_t i = 1; i <= 300; ++i) {
      published = record->highest() + 1;
      ASSERT_TRUE(record->Add(published).ok());
    }
  }
}

TEST_F(VersionRecordTest, EachLearnerHasItsOwn) {
  auto other = *VersionRecord::Open(VersionRecordPath(folder_.path(), 1), "first boot");
  ASSERT_TRUE(other->Add(7).ok());
  EXPECT_EQ(HighestOfNextLife(), 0);
}

TEST_F(VersionRecordTest, AnOlderVersionChangesNothing) {
  auto record = *VersionRecord::Open(path_, "first boot");
  ASSERT_TRUE(record->Add(9).ok());
  ASSERT_TRUE(record->Add(3).ok());
  EXPECT_EQ(HighestOfNextLife(), 9);
}

TEST_F(VersionRecordTest, ADamagedFileIsDataLossByName) {
  auto record = *VersionRecord::Open(path_, "first boot");
  ASSERT_TRUE(record->Add(9).ok());
  const std::string whole = Slurp(path_);
  for (size_t length = 0; length < whole.size(); ++length) {
    Spill(path_, whole.substr(0, length));
    const absl::Status status = VersionRecord::Open(path_, "first boot").status();
    ASSERT_EQ(status.code(), absl::StatusCode::kDataLoss) << length;
    EXPECT_THAT(std::string(status.message()), HasSubstr(path_));
  }
}

// The learner and the parameter server die at the same moment; the actors hold what the
// learner published last, and the checkpoint knows of less.
TEST_F(VersionRecordTest, ALearnerThatDiesWithItsServerPublishesAboveWhatActorsHold) {
  const auto parameters = [](int64_t version) {
    auto made = std::make_shared<v1::Parameters>();
    made->set_version(version);
    return made;
  };
  int64_t held_by_actors = 0;
  {
    FakeParameterSink server;
    auto record = *VersionRecord::Open(path_, "first boot");
    RecordingParameterSink sink(&server, record.get());
    for (int64_t version = 1; version <= 57; ++version)
      ASSERT_TRUE(sink.Publish(parameters(version)).ok());
    held_by_actors = server.published.back()->version();
  }
  FakeParameterSink server;
  auto record = *VersionRecord::Open(path_, "first boot");
  RecordingParameterSink sink(&server, record.get());
  ASSERT_TRUE(sink.Publish(parameters(record->highest() + 1)).ok());
  EXPECT_EQ(server.published[0]->version(), held_by_actors + 1);
}

TEST_F(VersionRecordTest, AVersionThatCannotBeRecordedIsNotPublished) {
  FakeParameterSink server;
  auto record = *VersionRecord::Open(folder_ / "nowhere/versions", "first boot");
  RecordingParameterSink sink(&server, record.get());
  auto first = std::make_shared<v1::Parameters>();
  first->set_version(1);
  EXPECT_FALSE(sink.Publish(first).ok());
  EXPECT_TRUE(server.published.empty());
}

}  // namespace
}  // namespace cadre
