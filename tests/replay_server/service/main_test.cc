// The binary cadre_replay_server as users start it.
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/files/file_io.h"
#include "gmock/gmock.h"
#include "grpcpp/client_context.h"
#include "gtest/gtest.h"
#include "proto/experience.grpc.pb.h"
#include "rpc/channel.h"
#include "rpc/client/experience_client.h"
#include "rpc/server/port_file.h"
#include "tests/child_process.h"
#include "tests/replay_server/example_rollouts.h"
#include "tests/replay_server/experience_server.h"

namespace cadre {
namespace {

using ::testing::HasSubstr;

std::string TemporaryPath(absl::string_view name) {
  return absl::StrCat(testing::TempDir(), "/replay_server_", name, ".", getpid());
}

TEST(ReplayServerMainTest, ServesUntilSigtermAndExitsWithZero) {
  const std::string port_file = TemporaryPath("port");
  ChildProcess server({CADRE_REPLAY_SERVER, "--address=127.0.0.1:0", "--port_file=" + port_file,
                       "--metrics_port=127.0.0.1:0"});
  EXPECT_THAT(server.ReadLine(), HasSubstr("listening on 127.0.0.1:"));
  const absl::StatusOr<int> port = ReadPortFile(port_file);
  ASSERT_TRUE(port.ok()) << port.status();
  unlink(port_file.c_str());

  ExperienceSinkOptions options;
  options.address = absl::StrCat("127.0.0.1:", *port);
  options.run_id = kRun;
  options.spec = ExampleSpec();
  auto sink = *RemoteExperienceSink::Create(options);
  auto source = *RemoteExperienceSource::Create(options);
  ASSERT_TRUE(sink->Append(ExampleRollout(10)).ok());
  ASSERT_TRUE(source->Take(10, 0).ok());
  EXPECT_EQ(server.End(SIGTERM), 0) << "with a lease open";
}

TEST(ReplayServerMainTest, APortInUseIsOneLineAndExitCode3) {
  ExperienceServer other{QueueOptions()};
  const std::string address = other.server->address();
  ChildProcess server({CADRE_REPLAY_SERVER, "--address=" + address});
  EXPECT_EQ(server.ReadLine(), absl::StrCat("cadre_replay_server: error: cannot listen on '",
                                            address, "': Address already in use"));
  EXPECT_EQ(server.ReadLine(), "");
  EXPECT_EQ(server.End(0), 3);
}

TEST(ReplayServerMainTest, AnOffPolicyExperimentIsServedATable) {
  const std::string path = TemporaryPath("experiment");
  ASSERT_TRUE(WriteFileAtomically(path,
                                  "dqn {} replay { capacity_steps: 1000 } "
                                  "actors { segment_length: 10 }")
                  .ok());
  ChildProcess server({CADRE_REPLAY_SERVER, "--address=127.0.0.1:0", "--config=" + path,
                       "--shards=2", "--port_file=" + path + ".port"});
  EXPECT_THAT(server.ReadLine(), HasSubstr("listening on 127.0.0.1:"));
  const auto stub = v1::ExperienceService::NewStub(
      *MakeChannel(absl::StrCat("127.0.0.1:", *ReadPortFile(path + ".port"))));
  grpc::ClientContext context;
  v1::InfoResponse info;
  ASSERT_TRUE(stub->Info(&context, {}, &info).ok());
  EXPECT_EQ(info.queues_size(), 0);
  ASSERT_EQ(info.tables_size(), 1);
  EXPECT_EQ(info.tables(0).name(), "replay");
  EXPECT_EQ(info.tables(0).capacity_items(), 500);
  grpc::ClientContext checkpoint_context;
  v1::CheckpointResponse checkpoint;
  EXPECT_EQ(stub->Checkpoint(&checkpoint_context, {}, &checkpoint).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(server.End(SIGTERM), 0);
  unlink(path.c_str());
  unlink((path + ".port").c_str());
}

TEST(ReplayServerMainTest, FlagsThatContradictEachOtherAreOneLineAndExitCode2) {
  ChildProcess both({CADRE_REPLAY_SERVER, "--config=a", "--tables=b"});
  EXPECT_EQ(both.ReadLine(), "cadre_replay_server: error: --config excludes --tables");
  EXPECT_EQ(both.End(0), 2);
  ChildProcess keep({CADRE_REPLAY_SERVER, "--checkpoint_folder=/tmp/none", "--checkpoint_keep=0"});
  EXPECT_EQ(keep.ReadLine(),
            "cadre_replay_server: error: checkpoint_keep: got 0; wanted at least 1");
  EXPECT_EQ(keep.End(0), 2);
}

TEST(ReplayServerMainTest, ABadConfigIsOneLineAndExitCode2) {
  const std::string path = TemporaryPath("config");
  ASSERT_TRUE(WriteFileAtomically(path, "queue { capacity_steps: -4 }").ok());
  ChildProcess server({CADRE_REPLAY_SERVER, "--address=127.0.0.1:0", "--config=" + path});
  EXPECT_EQ(server.ReadLine(),
            "cadre_replay_server: error: queue.capacity_steps: got -4; wanted at least 1");
  EXPECT_EQ(server.ReadLine(), "");
  EXPECT_EQ(server.End(0), 2);
  unlink(path.c_str());
}

}  // namespace
}  // namespace cadre
