#include "common/config/replay_config.h"

#include <string>

#include "common/config/config.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

ExperimentConfig Resolved(const std::string& text) {
  absl::StatusOr<ExperimentConfig> config = ParseConfig(text, "test");
  EXPECT_EQ(config.status(), absl::OkStatus());
  return ResolveConfig(*std::move(config));
}

std::string ErrorsOf(const std::string& text) {
  ReplayServerConfig config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
  return std::string(ValidateReplayServerConfig(config).message());
}

TEST(ReplayConfigTest, OnlyOffPolicyAlgorithmsUseReplay) {
  EXPECT_FALSE(UsesReplay(Resolved("ppo {}")));
  EXPECT_FALSE(UsesReplay(ExperimentConfig()));
  for (const char* algorithm : {"dqn {}", "ddpg {}", "td3 {}", "sac {}"})
    EXPECT_TRUE(UsesReplay(Resolved(algorithm))) << algorithm;
}

TEST(ReplayConfigTest, TheDiscountFactorIsTheAlgorithmsOwn) {
  for (const char* algorithm : {"ppo", "dqn", "ddpg", "td3", "sac"})
    EXPECT_EQ(DiscountFactor(Resolved(std::string(algorithm) + " { gamma: 0.875 }")), 0.875)
        << algorithm;
}

TEST(ReplayConfigTest, TheTableIsTheExperiments) {
  const TableConfig table = ReplayTable(
      Resolved("sac { gamma: 0.98 } actors { mode: ASYNCHRONOUS count: 1 environments_per_actor: 4 "
               "segment_length: 16 } replay { capacity_steps: 5000 capacity_bytes: 1000000 "
               "batch_size: 32 updates_per_step: 0.5 warmup_steps: 200 slack_steps: 100 }"));
  EXPECT_EQ(table.name(), kReplayTable);
  EXPECT_EQ(table.capacity_items(), 5000);
  EXPECT_EQ(table.capacity_bytes(), 1000000);
  EXPECT_EQ(table.transitions().n_step(), 1);
  EXPECT_EQ(table.transitions().gamma(), 0.98);
  EXPECT_TRUE(table.sampler().has_uniform());
  EXPECT_TRUE(table.remover().has_fifo());
  EXPECT_EQ(table.max_times_sampled(), 0);
  EXPECT_EQ(table.rate_limiter().min_size(), 200);
  EXPECT_EQ(table.rate_limiter().samples_per_insert(), 0.5 * 32);
  EXPECT_EQ(table.rate_limiter().error_buffer(), 0.5 * 32 * 100);
}

TEST(ReplayConfigTest, PrioritizedReplayIsSampledByPriority) {
  const TableConfig table = ReplayTable(Resolved("dqn {} replay { prioritized { alpha: 0.7 } }"));
  EXPECT_EQ(table.sampler().prioritized().alpha(), 0.7);
  EXPECT_TRUE(ReplayTable(Resolved("dqn {}")).sampler().has_uniform());
}

TEST(ReplayConfigTest, InLockstepTheTableDoesNotLimit) {
  const TableConfig table = ReplayTable(Resolved("dqn {}"));
  EXPECT_EQ(table.rate_limiter().samples_per_insert(), 0);
  EXPECT_EQ(table.rate_limiter().min_size(), 1000);
}

TEST(ReplayConfigTest, ShardsShareStepsAndWarmUpRoundedUp) {
  const TableConfig table = ReplayTable(
      Resolved("dqn {} replay { capacity_steps: 10000 capacity_bytes: 77 warmup_steps: 1001 }"), 3);
  EXPECT_EQ(table.capacity_items(), 3334);
  EXPECT_EQ(table.rate_limiter().min_size(), 334);
  EXPECT_EQ(table.capacity_bytes(), 77) << "of each server";
}

TEST(ReplayConfigTest, TheMinimumSizeIsReachedOnceTheWarmUpIsIn) {
  // After 1000 steps the last two of each of the 16 environments may wait for theirs.
  const std::string actors = "actors { count: 2 environments_per_actor: 8 segment_length: 20 }";
  EXPECT_EQ(ReplayTable(Resolved("dqn {} replay { n_step: 3 warmup_steps: 1000 }" + actors))
                .rate_limiter()
                .min_size(),
            1000 - 32);
  // A full table has removed up to a whole segment to take in another.
  EXPECT_EQ(
      ReplayTable(Resolved("dqn {} replay { warmup_steps: 1000 capacity_steps: 1000 }" + actors))
          .rate_limiter()
          .min_size(),
      1000 - 20);
  EXPECT_EQ(ReplayTable(Resolved("dqn {} replay { n_step: 100 warmup_steps: 5 }" + actors))
                .rate_limiter()
                .min_size(),
            1);
}

TEST(ReplayConfigTest, TheBufferOfAResolvedConfigLetsARolloutAndABatchPass) {
  for (const char* replay :
       {"", "updates_per_step: 0.001", "n_step: 50", "batch_size: 4096 updates_per_step: 8"}) {
    const ExperimentConfig config =
        Resolved(std::string("dqn {} actors { mode: ASYNCHRONOUS count: 1 segment_length: 2 } "
                             "replay { ") +
                 replay + " }");
    const RateLimiterConfig limiter = ReplayTable(config).rate_limiter();
    EXPECT_GE(limiter.error_buffer(), config.replay().batch_size()) << replay;
    EXPECT_GE(limiter.error_buffer(),
              limiter.samples_per_insert() * static_cast<double>(MostItemsPerRollout(config)))
        << replay;
  }
}

TEST(ReplayServerConfigTest, DefaultsAreSound) { EXPECT_EQ(ErrorsOf("tables {}"), ""); }

TEST(ReplayServerConfigTest, WantsATable) {
  EXPECT_EQ(ErrorsOf(""), "tables: not given; wanted 1 or more");
}

TEST(ReplayServerConfigTest, ChecksRangesByTheSchema) {
  EXPECT_EQ(ErrorsOf("tables { capacity_bytes: 0 transitions { gamma: 1.5 } }"
                     "tables { name: 'b' sampler { prioritized { alpha: -1 } } }"),
            "tables[0].capacity_bytes: got 0; wanted an integer of at least 1\n"
            "tables[0].transitions.gamma: got 1.5; wanted a number from 0 to 1\n"
            "tables[1].sampler.prioritized.alpha: got -1; wanted a number from 0 to 10");
}

TEST(ReplayServerConfigTest, NamesDiffer) {
  EXPECT_EQ(ErrorsOf("tables { name: 'a' } tables { name: 'b' } tables { name: 'a' }"),
            "tables[2].name: got 'a'; wanted a name that no other table has");
  EXPECT_EQ(ErrorsOf("tables {} tables {}"),
            "tables[1].name: got 'replay'; wanted a name that no other table has");
  EXPECT_EQ(ErrorsOf("tables { name: '' }"),
            "tables[0].name: got ''; wanted a name that no other table has");
}

TEST(ReplayServerConfigTest, TheMinimumSizeFitsTheTable) {
  EXPECT_EQ(ErrorsOf("tables { capacity_items: 10 rate_limiter { min_size: 10 } }"), "");
  EXPECT_EQ(ErrorsOf("tables { capacity_items: 10 rate_limiter { min_size: 11 } }"),
            "tables[0].rate_limiter.min_size: got 11; wanted at most capacity_items, 10");
  EXPECT_EQ(ErrorsOf("tables { rate_limiter { min_size: 11 } }"), "") << "no bound is known";
}

TEST(ReplayServerConfigTest, TheErrorBufferLetsAnItemPass) {
  EXPECT_EQ(ErrorsOf("tables { rate_limiter { samples_per_insert: 4 error_buffer: 4 } }"), "");
  EXPECT_EQ(ErrorsOf("tables { rate_limiter { samples_per_insert: 4 error_buffer: 3.5 } }"),
            "tables[0].rate_limiter.error_buffer: got 3.5; wanted at least samples_per_insert, 4, "
            "and 1");
  EXPECT_THAT(ErrorsOf("tables { rate_limiter { samples_per_insert: 0.1 error_buffer: 0.5 } }"),
              testing::HasSubstr("error_buffer: got 0.5"));
}

TEST(ReplayServerConfigTest, ReportsEverythingAtOnce) {
  const std::string errors = ErrorsOf(
      "tables { name: '' capacity_items: -1 rate_limiter { samples_per_insert: 2 } } "
      "tables { name: '' }");
  EXPECT_EQ(std::count(errors.begin(), errors.end(), '\n'), 3) << errors;
}

}  // namespace
}  // namespace cadre
