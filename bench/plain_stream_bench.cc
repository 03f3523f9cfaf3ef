// The limit of a gRPC stream between two processes of one machine over loopback TCP, by
// message size. One JSON line for each direction.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/plain_stream.h"
#include "common/check.h"
#include "common/process/flags.h"
#include "rpc/server/free_port.h"

namespace {

// A child that serves at `address` until it is killed. Before gRPC is used here.
pid_t Serve(const std::string& address) {
  const pid_t child = fork();
  CADRE_CHECK(child >= 0);
  if (child > 0) return child;
  const auto server = cadre::PlainStreamServer::Start(address);
  while (true) pause();
}

void Measure(const std::string& address, int64_t bytes, double seconds) {
  for (const bool to_client : {true, false}) {
    const double messages = cadre::MeasurePlainStream(
        address, to_client ? cadre::PlainDirection::kToClient : cadre::PlainDirection::kToServer,
        bytes, absl::Seconds(seconds));
    absl::PrintF(
        "{\"work\": \"plain stream to %s, %d bytes a message\", \"messages_per_second\": %.0f, "
        "\"megabytes_per_second\": %.0f}\n",
        to_client ? "client" : "server", bytes, messages,
        messages * static_cast<double>(bytes) * 1e-6);
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("How fast a plain gRPC stream is", "plain_stream_bench");
  std::vector<int64_t> sizes = {2'500, 25'000, 100'000, 1'000'000, 10'000'000};
  double seconds = 1;
  app.add_option("--bytes", sizes, "of one message");
  app.add_option("--seconds", seconds, "of each measurement");
  if (const auto exit_code = cadre::ParseFlags(app, argc, argv)) return *exit_code;
  const absl::StatusOr<std::vector<int>> ports = cadre::FreeLoopbackPorts(1);
  CADRE_CHECK(ports.ok());
  const std::string address = absl::StrCat("127.0.0.1:", ports->front());
  const pid_t server = Serve(address);
  for (const int64_t bytes : sizes) Measure(address, bytes, seconds);
  kill(server, SIGKILL);
  waitpid(server, nullptr, 0);
}
