#include "bench/server_process.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/check.h"
#include "common/files/file_io.h"
#include "google/protobuf/text_format.h"
#include "rpc/server/port_file.h"

extern char** environ;

namespace cadre {
namespace {

std::string TemporaryFolder() {
  std::string folder = "/tmp/cadre_bench.XXXXXX";
  CADRE_CHECK(mkdtemp(folder.data()) != nullptr);
  return folder;
}

pid_t Spawn(std::vector<std::string> arguments) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t process = 0;
  CADRE_CHECK(posix_spawn(&process, argv[0], nullptr, nullptr, argv.data(), environ) == 0);
  return process;
}

}  // namespace

ServerProcess::ServerProcess(const std::string& binary, const TableConfig& table)
    : folder_(TemporaryFolder()) {
  ReplayServerConfig config;
  *config.add_tables() = table;
  std::string text;
  CADRE_CHECK(google::protobuf::TextFormat::PrintToString(config, &text));
  const std::string config_path = absl::StrCat(folder_, "/tables.textproto");
  const std::string port_path = absl::StrCat(folder_, "/port");
  CADRE_CHECK(WriteFileAtomically(config_path, text).ok());
  process_ = Spawn(
      {binary, "--address", "127.0.0.1:0", "--tables", config_path, "--port_file", port_path});
  absl::StatusOr<int> port = ReadPortFile(port_path);
  for (const absl::Time limit = absl::Now() + absl::Seconds(20); !port.ok();) {
    CADRE_CHECK(absl::Now() < limit);
    absl::SleepFor(absl::Milliseconds(10));
    port = ReadPortFile(port_path);
  }
  address_ = absl::StrCat("127.0.0.1:", *port);
}

ServerProcess::~ServerProcess() {
  kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

}  // namespace cadre
