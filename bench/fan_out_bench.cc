// How fast a parameter server hands a model to many subscribers, beside plain gRPC streams
// of messages of that size, over loopback TCP between two processes. Subscribers are
// streams over several channels in one client process. One JSON line:
//   {"work", "cadre", "peer", "unit", "ratio"}
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "bench/plain_stream.h"
#include "common/check.h"
#include "common/process/flags.h"
#include "param_server/parameter_service.h"
#include "param_server/parameter_store.h"
#include "rpc/channel.h"
#include "rpc/server/free_port.h"
#include "rpc/server/server.h"
#include "rpc/wire/message_bytes.h"
#include "rpc/wire/raw_stream.h"

namespace cadre {
namespace {

struct Load {
  int subscribers = 200;
  int channels = 8;
  int64_t parameters = 1'600'000;
  double seconds = 5;
};

// A child that runs `serve` until it is killed. Before gRPC is used here.
template <typename Function>
pid_t Fork(Function serve) {
  const pid_t child = fork();
  CADRE_CHECK(child >= 0);
  if (child > 0) return child;
  serve();
  _exit(0);
}

// Publishes a version whenever half of the subscribers have been sent the one before:
// there is always something newer for whoever is ready.
void ServeParameters(const std::string& address, const Load& load) {
  prometheus::Registry registry;
  ParameterStore store("bench");
  ParameterMetrics metrics(&registry);
  ParameterService service(&store, &metrics);
  const auto server = RpcServer::Create(address, {&service});
  CADRE_CHECK(server.ok());
  const std::string values(static_cast<size_t>(load.parameters) * sizeof(float), '\1');
  for (int64_t version = 1;; ++version) {
    auto parameters = std::make_shared<v1::Parameters>();
    parameters->set_model("policy");
    parameters->set_version(version);
    parameters->set_values(values);
    CADRE_CHECK(store.Publish(std::move(parameters)).ok());
    const double sent = metrics.sent_bytes.Value();
    const double half = static_cast<double>(values.size()) * load.subscribers / 2;
    while (metrics.sent_bytes.Value() < sent + half) usleep(200);
  }
}

using Stream = grpc::ClientReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>;

// Reads `streams` until `stop`, counting the bytes; each on a thread of its own, that
// mostly waits.
class Subscribers {
 public:
  Subscribers(const std::string& address, const Load& load, const char* method,
              const grpc::ByteBuffer& request) {
    for (int i = 0; i < load.channels; ++i) {
      auto channel = MakeChannel(address);
      CADRE_CHECK(channel.ok());
      channels_.push_back(*channel);
    }
    for (int i = 0; i < load.subscribers; ++i) {
      auto& context = *contexts_.emplace_back(std::make_unique<grpc::ClientContext>());
      context.set_wait_for_ready(true);
      threads_.emplace_back([this, i, &load, &context, method, request] {
        const auto stream = OpenStream<grpc::ByteBuffer, grpc::ByteBuffer>(
            *channels_[static_cast<size_t>(i % load.channels)], method, &context);
        stream->Write(request);
        stream->WritesDone();
        grpc::ByteBuffer message;
        while (stream->Read(&message)) bytes_ += static_cast<int64_t>(message.Length());
        static_cast<void>(stream->Finish());
      });
    }
  }
  ~Subscribers() {
    for (const auto& context : contexts_) context->TryCancel();
    for (std::thread& thread : threads_) thread.join();
  }
  int64_t bytes() const { return bytes_; }

 private:
  std::vector<std::shared_ptr<grpc::Channel>> channels_;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts_;
  std::atomic<int64_t> bytes_ = 0;
  std::vector<std::thread> threads_;
};

double MegabytesPerSecond(const std::string& address, const Load& load, const char* method,
                          const grpc::ByteBuffer& request) {
  const Subscribers subscribers(address, load, method, request);
  absl::SleepFor(absl::Seconds(load.seconds / 2));  // Until all are connected and at work.
  const int64_t before = subscribers.bytes();
  const absl::Time start = absl::Now();
  absl::SleepFor(absl::Seconds(load.seconds));
  return static_cast<double>(subscribers.bytes() - before) /
         absl::ToDoubleSeconds(absl::Now() - start) / 1e6;
}

double FanOut(const std::string& address, const Load& load) {
  v1::WatchRequest request;
  request.set_run_id("bench");
  request.set_model("policy");
  return MegabytesPerSecond(address, load, "/cadre.v1.ParameterService/Watch",
                            SerializeMessage(request));
}

double Plain(const std::string& address, const Load& load) {
  const grpc::Slice bytes(absl::StrCat(load.parameters * 4));
  return MegabytesPerSecond(address, load, kPlainStreamMethod, grpc::ByteBuffer(&bytes, 1));
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace
}  // namespace cadre

int main(int argc, char** argv) {
  CLI::App app("Parameter fan-out beside plain gRPC streams", "fan_out_bench");
  cadre::Load load;
  int rounds = 3;
  app.add_option("--subscribers", load.subscribers, "streams");
  app.add_option("--channels", load.channels, "connections that they share");
  app.add_option("--parameters", load.parameters, "float32 of a version");
  app.add_option("--seconds", load.seconds, "of each measurement");
  app.add_option("--rounds", rounds, "of both, in turns; medians count");
  if (const auto exit_code = cadre::ParseFlags(app, argc, argv)) return *exit_code;
  const absl::StatusOr<std::vector<int>> ports = cadre::FreeLoopbackPorts(2);
  CADRE_CHECK(ports.ok());
  const std::string ours = absl::StrCat("127.0.0.1:", (*ports)[0]);
  const std::string theirs = absl::StrCat("127.0.0.1:", (*ports)[1]);
  const pid_t parameters = cadre::Fork([&] { cadre::ServeParameters(ours, load); });
  const pid_t plain = cadre::Fork([&] {
    const auto server = cadre::PlainStreamServer::Start(theirs);
    while (true) pause();
  });
  std::vector<double> cadre, peer;
  for (int i = 0; i < rounds; ++i) {
    cadre.push_back(cadre::FanOut(ours, load));
    peer.push_back(cadre::Plain(theirs, load));
  }
  for (const pid_t child : {parameters, plain}) {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
  const double a = cadre::Median(cadre), b = cadre::Median(peer);
  absl::PrintF(
      "{\"work\": \"%d parameters to %d subscribers over %d connections\", \"cadre\": %.0f, "
      "\"peer\": %.0f, \"unit\": \"MB/s\", \"ratio\": %.2f}\n",
      load.parameters, load.subscribers, load.channels, a, b, a / b);
}
