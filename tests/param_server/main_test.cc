// The binary cadre_param_server as users start it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "param_server/snapshot.h"
#include "rpc/client/gradient_client.h"
#include "rpc/client/parameter_client.h"
#include "rpc/server/free_port.h"
#include "rpc/server/port_file.h"
#include "tests/learner/temp_folder.h"
#include "tests/param_server/running_server.h"
#include "tests/param_server/shared_models.h"

namespace cadre {
namespace {

using ::testing::HasSubstr;

// The binary, running, with its stderr on a pipe.
class Process {
 public:
  explicit Process(std::vector<std::string> flags) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    flags.insert(flags.begin(), CADRE_PARAM_SERVER);
    std::vector<char*> arguments;
    for (std::string& flag : flags) arguments.push_back(flag.data());
    arguments.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(ends[1], STDERR_FILENO);
      close(ends[0]);
      close(ends[1]);
      execv(arguments[0], arguments.data());
      _exit(127);
    }
    close(ends[1]);
    stderr_ = fdopen(ends[0], "r");
  }
  ~Process() {
    if (pid_ > 0) Exit(SIGKILL);
    fclose(stderr_);
  }

  // The next line without its end; empty at the end of the stream.
  std::string ReadLine() {
    char* line = nullptr;
    size_t capacity = 0;
    const ssize_t length = getline(&line, &capacity, stderr_);
    std::string text(line, length > 0 ? length - 1 : 0);
    free(line);
    return text;
  }

  // Sends `signal` unless it is 0, and waits; the exit status, -1 where it was killed.
  int Exit(int signal) {
    if (signal != 0) kill(pid_, signal);
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = -1;
  FILE* stderr_ = nullptr;
};

TEST(ParamServerMainTest, ServesUntilSigtermAndExitsWithZero) {
  const std::string port_file = absl::StrCat(testing::TempDir(), "/param_server_port.", getpid());
  Process process({"--address=127.0.0.1:0", "--run_id=run", "--port_file=" + port_file,
                   "--metrics_port=127.0.0.1:0"});
  EXPECT_THAT(process.ReadLine(), HasSubstr("serving run 'run' on 127.0.0.1:"));
  const absl::StatusOr<int> port = ReadPortFile(port_file);
  ASSERT_TRUE(port.ok()) << port.status();
  unlink(port_file.c_str());

  ParameterClientOptions options;
  options.address = absl::StrCat("127.0.0.1:", *port);
  options.run_id = "run";
  options.model = "policy";
  const auto sink = RemoteParameterSink::Create(options);
  const auto source = RemoteParameterSource::Create(options);
  ASSERT_TRUE((*sink)->Publish(MakeParameters(1)).ok());
  ASSERT_TRUE((*source)->WaitNewer(0, absl::Seconds(60)).ok());
  EXPECT_EQ(process.Exit(SIGTERM), 0);  // With two streams open.
}

std::vector<std::string> WithSnapshots(const std::string& address, const TempFolder& folder) {
  return {"--address=" + address, "--run_id=run", "--snapshot_folder=" + folder.path(),
          "--snapshot_seconds=0.02"};
}

// A learner pushes all the time while the server is killed and started again; at the end
// the model is what all of the gradients make, each counted at most once: those that were
// answered are all in it.
TEST(ParamServerMainTest, KilledWhileGradientsComeItLosesNoneThatWasAnswered) {
  const TempFolder folder;
  const auto ports = FreeLoopbackPorts(1);
  ASSERT_TRUE(ports.ok());
  const std::string address = absl::StrCat("127.0.0.1:", ports->front());
  GradientClientOptions options;
  options.address = address;
  options.run_id = "run";
  options.retry.backoff = {absl::Milliseconds(1), absl::Milliseconds(20), 2};
  options.channel.initial_reconnect_backoff = absl::Milliseconds(10);
  options.channel.maximum_reconnect_backoff = absl::Milliseconds(50);
  const auto sink = RemoteGradientSink::Create(options);
  ASSERT_TRUE(sink.ok());
  std::atomic<int64_t> pushed = 0;
  std::atomic<bool> enough = false;
  std::thread learner([&] {
    auto newest = (*sink)->Start(MakeSharedModel(kSum));
    ASSERT_TRUE(newest.ok()) << newest.status();
    int64_t version = (*newest)->version();
    while (!enough) {
      const auto result = (*sink)->Push(MakeGradient(version, {1, 1, 1, 1}));
      ASSERT_TRUE(result.ok()) << result.status();
      EXPECT_GT(result->newest->version(), version);  // Never goes back.
      version = result->newest->version();
      EXPECT_EQ(ValuesOf(*result->newest)[0], -static_cast<float>(++pushed));
    }
  });
  const auto wait_for_more = [&pushed] {
    const int64_t before = pushed;
    const absl::Time give_up = absl::Now() + absl::Seconds(60);
    while (pushed < before + 100 && absl::Now() < give_up) absl::SleepFor(absl::Milliseconds(5));
    EXPECT_GE(pushed, before + 100);
  };
  for (int life = 0; life < 5; ++life) {
    Process process(WithSnapshots(address, folder));
    wait_for_more();
    process.Exit(SIGKILL);
  }
  Process last(WithSnapshots(address, folder));
  wait_for_more();
  enough = true;
  learner.join();
  EXPECT_EQ(last.Exit(SIGTERM), 0);
  // What SIGTERM saved is what the learner was answered with last.
  ParameterStore restored("run");
  const auto from = RestoreSnapshot(folder.path(), &restored);
  ASSERT_TRUE(from.ok()) << from.status();
  EXPECT_EQ(ValuesOf(*restored.Read("policy").newest)[0], -static_cast<float>(pushed));
}

// Of a server that is asked to forget runs that are finished: how many snapshots are left
// once it has ended, where the run was in `state`.
size_t SnapshotsLeft(v1::RunState state) {
  const TempFolder folder;
  ParameterClientOptions options;
  options.address = absl::StrCat("127.0.0.1:", FreeLoopbackPorts(1)->front());
  options.run_id = "run";
  std::vector<std::string> flags = WithSnapshots(options.address, folder);
  flags.push_back("--forget_finished");
  Process process(flags);
  const auto sink = RemoteParameterSink::Create(options);
  EXPECT_TRUE(sink.ok()) << sink.status();
  EXPECT_TRUE((*sink)->SetRunState(state).ok());
  EXPECT_EQ(process.Exit(SIGTERM), 0);
  const CheckpointFolder snapshots(folder.path(), "parameters", kParameterSnapshot);
  return snapshots.Numbers()->size();
}

TEST(ParamServerMainTest, ForgetsARunThatIsFinishedAndNoOther) {
  EXPECT_EQ(SnapshotsLeft(v1::RUN_STATE_FINISHED), 0);
  EXPECT_GE(SnapshotsLeft(v1::RUN_STATE_RUNNING), 1);
}

TEST(ParamServerMainTest, ThereIsNothingToForgetWithoutAFolder) {
  Process process({"--address=127.0.0.1:0", "--run_id=run", "--forget_finished"});
  EXPECT_EQ(process.ReadLine(),
            "cadre_param_server: error: forget_finished: there is nothing to forget without a "
            "snapshot folder");
  EXPECT_EQ(process.Exit(0), 2);
}

TEST(ParamServerMainTest, APortInUseIsOneLineAndExitCode3) {
  RunningServer server("run");
  Process process({"--address=" + server.address(), "--run_id=run"});
  EXPECT_EQ(process.ReadLine(), absl::StrCat("cadre_param_server: error: cannot listen on '",
                                             server.address(), "': Address already in use"));
  EXPECT_EQ(process.ReadLine(), "");
  EXPECT_EQ(process.Exit(0), 3);
}

TEST(ParamServerMainTest, AMissingFlagIsOneLineAndExitCode2) {
  Process process({"--address=127.0.0.1:0"});
  EXPECT_EQ(process.ReadLine(), "cadre_param_server: error: --run_id is required");
  EXPECT_EQ(process.ReadLine(), "");
  EXPECT_EQ(process.Exit(0), 2);
}

}  // namespace
}  // namespace cadre
