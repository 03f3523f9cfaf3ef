#include "replay_server/service/server_config.h"

#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/files/file_io.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using ::testing::Contains;
using ::testing::EndsWith;
using ::testing::HasSubstr;

std::string ErrorOf(const absl::StatusOr<ServerConfig>& config) {
  return std::string(config.status().message());
}

// The settings on which whoever connects must agree, as "field=value".
template <typename Options>
std::vector<std::string> AgreedOf(const Options& options) {
  std::vector<std::string> agreed;
  for (const v1::AgreedSetting& setting : options.agreed)
    agreed.push_back(absl::StrCat(setting.field(), "=", setting.value()));
  return agreed;
}

class ServerConfigTest : public ::testing::Test {
 protected:
  ~ServerConfigTest() override { unlink(path_.c_str()); }

  absl::StatusOr<ServerConfig> LoadExperiment(const std::string& text, int shards = 1) {
    EXPECT_TRUE(WriteFileAtomically(path_, text).ok());
    return LoadServerConfig({.experiment = path_, .shards = shards}, "run-1", "");
  }
  absl::StatusOr<ServerConfig> LoadTables(const std::string& text,
                                          const std::string& storage_folder = "") {
    EXPECT_TRUE(WriteFileAtomically(path_, text).ok());
    return LoadServerConfig({.tables = path_}, "run-1", storage_folder);
  }

  const std::string path_ =
      absl::StrCat(testing::TempDir(), "/server_config_test.", getpid(), ".textproto");
};

TEST_F(ServerConfigTest, WithoutFilesThereIsOneQueue) {
  const ServerConfig config = *LoadServerConfig({}, "run-1", "");
  ASSERT_EQ(config.queues.size(), 1);
  EXPECT_EQ(config.queues[0].name, "on_policy");
  EXPECT_EQ(config.queues[0].run_id, "run-1");
  EXPECT_TRUE(config.queues[0].agreed.empty()) << "nobody said for which experiment";
  EXPECT_TRUE(config.tables.empty());
}

TEST_F(ServerConfigTest, AnOnPolicyExperimentHasItsQueue) {
  const ServerConfig config = *LoadExperiment("ppo {} queue { capacity_steps: 77 }");
  ASSERT_EQ(config.queues.size(), 1);
  EXPECT_EQ(config.queues[0].capacity_steps, 77);
  EXPECT_THAT(AgreedOf(config.queues[0]), Contains("algorithm=ppo"));
  EXPECT_THAT(AgreedOf(config.queues[0]), Contains("actors.segment_length=128"));
  EXPECT_TRUE(config.tables.empty());
}

TEST_F(ServerConfigTest, AnExperimentCanBeOverridden) {
  EXPECT_TRUE(WriteFileAtomically(path_, "ppo {} queue { capacity_steps: 77 }").ok());
  const auto config = LoadServerConfig(
      {.experiment = path_, .overrides = {"queue.capacity_steps=78"}}, "run-1", "");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->queues[0].capacity_steps, 78);
}

TEST_F(ServerConfigTest, EachLearnerHasAQueueWithItsShareOfTheSteps) {
  const ServerConfig config = *LoadExperiment(
      "a3c {} actors { count: 4 } learners { count: 2 } queue { capacity_steps: 1000 }");
  ASSERT_EQ(config.queues.size(), 2);
  EXPECT_EQ(config.queues[0].name, "on_policy/0");
  EXPECT_EQ(config.queues[1].name, "on_policy/1");
  EXPECT_EQ(config.queues[1].capacity_steps, 500);
  EXPECT_THAT(AgreedOf(config.queues[1]), Contains("learners.count=2"));
}

TEST_F(ServerConfigTest, AnOffPolicyExperimentHasItsTable) {
  const ServerConfig config = *LoadExperiment(
      "dqn { gamma: 0.5 } replay { capacity_steps: 1000 n_step: 3 } seed: 9 "
      "actors { count: 3 environments_per_actor: 2 segment_length: 10 }");
  EXPECT_TRUE(config.queues.empty());
  ASSERT_EQ(config.tables.size(), 1);
  const TableOptions& table = config.tables[0];
  EXPECT_EQ(table.config.name(), "replay");
  EXPECT_EQ(table.config.capacity_items(), 1000);
  EXPECT_EQ(table.config.transitions().n_step(), 3);
  EXPECT_EQ(table.config.transitions().gamma(), 0.5);
  EXPECT_THAT(AgreedOf(table), Contains("replay.n_step=3")) << "whoever has another is refused";
  ASSERT_TRUE(table.writers.has_value());
  EXPECT_EQ(table.writers->all_environments(), 6);
  EXPECT_EQ(table.writers->segment_length, 10);
  EXPECT_EQ(table.run_id, "run-1");
  EXPECT_EQ(table.seed, 9);
  EXPECT_EQ(table.storage_path, "");
}

TEST_F(ServerConfigTest, ShardsHoldTheirShare) {
  const ServerConfig config = *LoadExperiment(
      "dqn {} replay { capacity_steps: 1000 } actors { count: 8 segment_length: 10 }", 4);
  EXPECT_EQ(config.tables[0].config.capacity_items(), 250);
  EXPECT_EQ(config.tables[0].writers->count, 2);
  EXPECT_THAT(ErrorOf(LoadExperiment("dqn {} replay { capacity_steps: 1000 batch_size: 250 } "
                                     "actors { count: 8 segment_length: 10 }",
                                     4)),
              HasSubstr("replay.capacity_steps: got 1000; wanted at least 1004"));
  EXPECT_EQ(ErrorOf(LoadExperiment("dqn {}", 0)), "shards: got 0; wanted at least 1");
}

TEST_F(ServerConfigTest, TablesComeAsTheirFileHasThem) {
  const ServerConfig config = *LoadTables(
      "tables { name: 'a' capacity_items: 5 } tables { name: 'b' remover { lifo {} } }", "/rows");
  ASSERT_EQ(config.tables.size(), 2);
  EXPECT_EQ(config.tables[0].config.capacity_items(), 5);
  EXPECT_TRUE(config.tables[1].config.remover().has_lifo());
  EXPECT_EQ(config.tables[1].storage_path, "/rows/b.rows");
}

TEST_F(ServerConfigTest, BadFilesAreRefusedWithTheirPlaces) {
  EXPECT_THAT(ErrorOf(LoadTables("tables { nmae: 'a' }")),
              HasSubstr(absl::StrCat(path_, ":1:10: ")));
  EXPECT_EQ(ErrorOf(LoadTables("")), "tables: not given; wanted 1 or more");
  EXPECT_THAT(ErrorOf(LoadTables("tables {} tables {}")),
              EndsWith("wanted a name that no other table has"));
  EXPECT_EQ(ErrorOf(LoadExperiment("dqn {} replay { capacity_steps: -4 }")),
            "replay.capacity_steps: got -4; wanted an integer of at least 1");
  EXPECT_EQ(ErrorOf(LoadExperiment("ppo {} queue { capacity_steps: -4 }")),
            "queue.capacity_steps: got -4; wanted at least 1");
}

TEST_F(ServerConfigTest, RowsStayInTheirFolder) {
  EXPECT_THAT(ErrorOf(LoadTables("tables { name: '../a' }", "/rows")),
              HasSubstr("wanted a name without '/'"));
}

}  // namespace
}  // namespace cadre
