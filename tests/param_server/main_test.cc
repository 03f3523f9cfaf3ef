// The binary cadre_param_server as users start it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "rpc/parameter_client.h"
#include "rpc/port_file.h"
#include "tests/param_server/running_server.h"
#include "tests/param_server/test_parameters.h"

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
  ASSERT_TRUE((*source)->WaitNewer(0, absl::Now() + absl::Seconds(60)).ok());
  EXPECT_EQ(process.Exit(SIGTERM), 0);  // With two streams open.
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
