#include "common/metrics/process_metrics.h"

#include <sys/statvfs.h>

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using ::testing::ElementsAre;
using ::testing::Key;

std::map<std::string, double> Values(const ProcessMetrics& metrics) {
  std::map<std::string, double> values;
  for (const prometheus::MetricFamily& family : metrics.Collect()) {
    EXPECT_EQ(family.metric.size(), 1U);
    EXPECT_FALSE(family.help.empty());
    const bool counts = family.type == prometheus::MetricType::Counter;
    EXPECT_EQ(counts, family.name.ends_with("_total")) << family.name;
    values[family.name] = counts ? family.metric[0].counter.value : family.metric[0].gauge.value;
  }
  return values;
}

constexpr char kNoSuchFolder[] = "/proc/self/no/such/folder";

TEST(ProcessMetricsTest, AProcessThatSavesNothingShowsItsStartAndItsUse) {
  const ProcessMetrics metrics("actor", absl::FromUnixMillis(1234500));
  EXPECT_THAT(Values(metrics), ElementsAre(Key("cadre_actor_cpu_seconds_total"),
                                           Key("cadre_actor_resident_memory_bytes"),
                                           Key("cadre_actor_start_time_seconds")));
  EXPECT_DOUBLE_EQ(Values(metrics)["cadre_actor_start_time_seconds"], 1234.5);
}

TEST(ProcessMetricsTest, MemoryAndProcessorTimeAreThoseOfThisProcess) {
  const ProcessMetrics metrics("actor");
  const auto before = Values(metrics);
  constexpr size_t kBytes = 64 << 20;
  const auto block = std::make_unique<volatile char[]>(kBytes);
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(5);
  do {
    for (size_t i = 0; i < kBytes; i += 1024) block[i] = 1;
  } while (std::chrono::steady_clock::now() < until);
  const auto after = Values(metrics);
  EXPECT_GT(before.at("cadre_actor_resident_memory_bytes"), 0);
  EXPECT_GT(after.at("cadre_actor_resident_memory_bytes"),
            before.at("cadre_actor_resident_memory_bytes") + 0.9 * kBytes);
  EXPECT_GT(after.at("cadre_actor_cpu_seconds_total"), before.at("cadre_actor_cpu_seconds_total"));
}

TEST(ProcessMetricsTest, TheLastCheckpointIsTheStartUntilThereIsOne) {
  ProcessMetrics metrics("learner", absl::FromUnixSeconds(100));
  metrics.SavesTo("/", absl::Seconds(30));
  EXPECT_EQ(Values(metrics)["cadre_learner_last_checkpoint_time_seconds"], 100);
  EXPECT_EQ(Values(metrics)["cadre_learner_checkpoint_period_seconds"], 30);
  metrics.CheckpointSaved(absl::FromUnixSeconds(170));
  EXPECT_EQ(Values(metrics)["cadre_learner_last_checkpoint_time_seconds"], 170);
}

TEST(ProcessMetricsTest, WhoSavesOnlyWhenAskedShowsNoPeriod) {
  ProcessMetrics metrics("param");
  metrics.SavesTo("/", absl::InfiniteDuration());
  EXPECT_FALSE(Values(metrics).contains("cadre_param_checkpoint_period_seconds"));
  EXPECT_TRUE(Values(metrics).contains("cadre_param_last_checkpoint_time_seconds"));
}

TEST(ProcessMetricsTest, TheDiskIsThatOfTheFolderOrOfTheNearestAboveIt) {
  struct statvfs root = {};
  ASSERT_EQ(statvfs("/", &root), 0);
  const double size = static_cast<double>(root.f_blocks) * static_cast<double>(root.f_frsize);
  ProcessMetrics metrics("learner");
  metrics.SavesTo("/no-such-folder/checkpoints", absl::Seconds(30));
  EXPECT_EQ(Values(metrics)["cadre_learner_disk_size_bytes"], size);
  EXPECT_GT(Values(metrics)["cadre_learner_disk_free_bytes"], 0);
  EXPECT_LE(Values(metrics)["cadre_learner_disk_free_bytes"], size);

  // /proc is a file system of its own, without blocks.
  metrics.SavesTo(kNoSuchFolder, absl::Seconds(30));
  EXPECT_EQ(Values(metrics)["cadre_learner_disk_size_bytes"], 0);
}

}  // namespace
}  // namespace cadre
