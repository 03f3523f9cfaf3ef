// A slow learner holds actors back instead of making the server grow: the binary
// cadre_replay_server, with sixteen writers that push more than it may take.
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/files/file_io.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rpc/client/experience_client.h"
#include "rpc/client/replay_source.h"
#include "rpc/server/free_port.h"
#include "rpc/server/server_info.h"
#include "tests/child_process.h"
#include "tests/learner/temp_folder.h"
#include "tests/replay_server/experience_server.h"

namespace cadre {
namespace {

constexpr int64_t kBudget = 3 * (int64_t{1} << 29);
constexpr int kWriters = 16;
constexpr int64_t kFrameBytes = 84 * 84 * 4;
constexpr int kSteps = 8;  // Of a rollout.
// More than the budget holds, so that every row is written, and many of them twice.
constexpr int64_t kAhead = 80'000;

v1::ExperienceSpec Frames() {
  v1::ExperienceSpec spec;
  v1::ColumnSpec& column = *spec.add_columns();
  column.set_name("obs");
  column.set_dtype(v1::DTYPE_UINT8);
  column.add_shape(kFrameBytes);
  column.set_per_observation(true);
  return spec;
}

v1::Rollout MakeRollout(int writer) {
  v1::Rollout rollout;
  v1::Segment& segment = *rollout.add_segments();
  segment.set_length(kSteps);
  segment.set_end(v1::SEGMENT_END_TRUNCATED);
  rollout.add_columns(std::string((kSteps + 1) * kFrameBytes, static_cast<char>('a' + writer)));
  return rollout;
}

int64_t ResidentBytes(pid_t pid) {
  std::ifstream statm(absl::StrCat("/proc/", pid, "/statm"));
  int64_t size = 0, resident = 0;
  statm >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

// Appends until its sink is closed.
class Writer {
 public:
  Writer(const std::string& address, int index) {
    ExperienceSinkOptions options;
    options.address = address;
    options.run_id = "run";
    options.target = "replay";
    options.spec = Frames();
    options.max_unsettled_rollouts = 4;
    sink_ = *RemoteExperienceSink::Create(options);
    thread_ = std::thread([this, index] {
      while (sink_->Append(MakeRollout(index)).ok()) {
      }
    });
  }
  ~Writer() {
    sink_->Close();
    thread_.join();
  }

 private:
  std::unique_ptr<RemoteExperienceSink> sink_;
  std::thread thread_;
};

TEST(TableMemoryTest, SixteenWritersAndASlowLearnerLeaveTheServerWithinItsBudget) {
  TempFolder folder;
  const std::string tables = absl::StrCat(folder.path(), "/tables.textproto");
  ASSERT_TRUE(WriteFileAtomically(
                  tables, absl::StrCat("tables { capacity_bytes: ", kBudget,
                                       " rate_limiter { samples_per_insert: 1 error_buffer: ",
                                       kAhead, " } }"))
                  .ok());
  const std::string address = absl::StrCat("127.0.0.1:", FreeLoopbackPorts(1)->front());
  ChildProcess server({CADRE_REPLAY_SERVER, "--address=" + address, "--tables=" + tables});
  while (server.ReadLine().find("listening") == std::string::npos) {
  }
  const auto info = [&] {
    const auto answer = FetchReplayInfo(address, absl::Seconds(30));
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.ok() ? answer->tables(0) : v1::TableInfo();
  };
  {
    std::vector<std::unique_ptr<Writer>> writers;
    for (int i = 0; i < kWriters; ++i) writers.push_back(std::make_unique<Writer>(address, i));
    ASSERT_TRUE(Eventually([&] { return info().blocked_writers() == kWriters; }));
    EXPECT_GT(info().removed_items(), 0) << "the table was never full";
    EXPECT_LE(info().allocated_bytes(), kBudget);
    EXPECT_GT(ResidentBytes(server.pid()), 0.9 * kBudget);
    EXPECT_LE(ResidentBytes(server.pid()), 1.05 * kBudget);

    ReplaySourceOptions options;
    options.address = address;
    options.run_id = "run";
    options.spec = Frames();
    auto learner = *RemoteReplaySource::Create(options);
    for (int i = 0; i < 50; ++i) {
      ASSERT_TRUE(learner->Sample({.items = 32}).ok());
      EXPECT_LE(ResidentBytes(server.pid()), 1.05 * kBudget);
    }
    EXPECT_GT(info().inserted_items(), kAhead) << "writers go on as the learner does";
    learner->Close();
  }
  EXPECT_EQ(server.End(SIGTERM), 0);
}

}  // namespace
}  // namespace cadre
