#include "common/metrics/metrics.h"

#include <dlfcn.h>
#include <pthread.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "civetweb.h"
#include "common/process/repeated_events.h"
#include "common/status_macros.h"
#include "prometheus/text_serializer.h"
#include "spdlog/spdlog.h"

// Debian's civetweb gives its threads stacks of 100 kB. The thread-local storage of LibTorch,
// OpenBLAS and glog alone is larger, and then no thread starts: EINVAL. civetweb has no setting
// for it, so this stands before libc's for all that this process loads.
extern "C" int pthread_attr_setstacksize(pthread_attr_t* attributes, size_t bytes) noexcept {
  constexpr size_t kSmallest = 512 * 1024;
  using Function = int (*)(pthread_attr_t*, size_t);
  static const auto libc =
      reinterpret_cast<Function>(dlsym(RTLD_NEXT, "pthread_attr_setstacksize"));
  return libc(attributes, std::max(bytes, kSmallest));
}

namespace cadre {
namespace {

absl::Status CheckAddress(absl::string_view address) {
  const size_t colon = address.rfind(':');
  const absl::string_view port =
      colon == absl::string_view::npos ? address : address.substr(colon + 1);
  int number = -1;
  const bool digits = !port.empty() && port.find_first_not_of("0123456789") == port.npos;
  if (colon != 0 && digits && absl::SimpleAtoi(port, &number) && number <= 65535 &&
      !absl::StrContains(address, ','))
    return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("metrics address: got '", address,
                                                 "'; wanted a port from 0 to 65535, or host:port"));
}

void Answer(mg_connection* connection, int status, absl::string_view reason, absl::string_view type,
            absl::string_view body) {
  const std::string head =
      absl::StrCat("HTTP/1.1 ", status, " ", reason, "\r\nContent-Type: ", type,
                   "\r\nContent-Length: ", body.size(), "\r\nConnection: close\r\n\r\n");
  mg_write(connection, head.data(), head.size());
  mg_write(connection, body.data(), body.size());
}

}  // namespace

// Where civetweb's own lines go. Why it did not start is only said there; what it says later,
// of connections that it could not accept, becomes a warning a minute.
struct MetricsServer::ServerLog {
  absl::Mutex mutex;
  bool started ABSL_GUARDED_BY(mutex) = false;
  std::string reason ABSL_GUARDED_BY(mutex);  // The first line before that.
  RepeatedEvents events ABSL_GUARDED_BY(mutex);

  static int Keep(const mg_connection* connection, const char* message) {
    auto* log = static_cast<ServerLog*>(mg_get_user_data(mg_get_context(connection)));
    if (log == nullptr) return 1;
    absl::MutexLock lock(&log->mutex);
    if (!log->started && log->reason.empty()) log->reason = message;
    if (!log->started) return 1;  // Handled: not to be written elsewhere.
    const int64_t times = log->events.Count(0, message, std::chrono::steady_clock::now());
    if (times > 0) spdlog::warn("metrics: {}{}", message, TimesText(times));
    return 1;
  }

  // Of "cannot bind to a:1: 98 (Address already in use)" the words in brackets.
  std::string Words() {
    absl::MutexLock lock(&mutex);
    const size_t open = reason.rfind('(');
    if (open == std::string::npos || reason.back() != ')') return reason;
    return reason.substr(open + 1, reason.size() - open - 2);
  }
  void Started() {
    absl::MutexLock lock(&mutex);
    started = true;
  }
};

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Create(
    const std::string& address, std::shared_ptr<prometheus::Registry> registry, HealthCheck health,
    Collectables more) {
  CADRE_RETURN_IF_ERROR(CheckAddress(address));
  std::unique_ptr<MetricsServer> server(
      new MetricsServer(std::move(registry), std::move(health), std::move(more)));
  CADRE_RETURN_IF_ERROR(server->Listen(address));
  return server;
}

MetricsServer::MetricsServer(std::shared_ptr<prometheus::Registry> registry, HealthCheck health,
                             Collectables more)
    : registry_(std::move(registry)),
      health_(std::move(health)),
      more_(std::move(more)),
      log_(std::make_unique<ServerLog>()) {}

MetricsServer::~MetricsServer() {
  if (context_ != nullptr) mg_stop(context_);
}

absl::Status MetricsServer::Listen(const std::string& address) {
  // Connections that wait for a thread are few, as each has a file descriptor; more wait in the
  // kernel.
  const char* options[] = {"listening_ports",
                           address.c_str(),
                           "num_threads",
                           "2",
                           "request_timeout_ms",
                           "5000",
                           "connection_queue",
                           "2",
                           nullptr};
  mg_callbacks callbacks = {};
  callbacks.log_message = ServerLog::Keep;
  context_ = mg_start(&callbacks, log_.get(), options);
  if (context_ == nullptr)
    return absl::UnavailableError(
        absl::StrCat("cannot serve metrics on '", address, "': ", log_->Words()));
  log_->Started();
  mg_server_port port = {};
  mg_get_server_ports(context_, 1, &port);
  port_ = port.port;
  mg_set_request_handler(context_, "/metrics$", &MetricsServer::AnswerMetrics, this);
  mg_set_request_handler(context_, "/healthz$", &MetricsServer::AnswerHealth, this);
  mg_set_request_handler(context_, "/livez$", &MetricsServer::AnswerAlive, this);
  return absl::OkStatus();
}

int MetricsServer::AnswerMetrics(mg_connection* connection, void* server) {
  const auto* self = static_cast<const MetricsServer*>(server);
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, self->registry_->Collect());
  for (const auto& more : self->more_)
    prometheus::TextSerializer().Serialize(text, more->Collect());
  Answer(connection, 200, "OK", "text/plain; version=0.0.4; charset=utf-8", text.str());
  return 200;
}

int MetricsServer::AnswerHealth(mg_connection* connection, void* server) {
  const HealthCheck& health = static_cast<const MetricsServer*>(server)->health_;
  const absl::Status status = health ? health() : absl::OkStatus();
  if (status.ok()) {
    Answer(connection, 200, "OK", "text/plain", "ok\n");
    return 200;
  }
  Answer(connection, 503, "Service Unavailable", "text/plain",
         absl::StrCat(status.message(), "\n"));
  return 503;
}

int MetricsServer::AnswerAlive(mg_connection* connection, void* /*server*/) {
  Answer(connection, 200, "OK", "text/plain", "ok\n");
  return 200;
}

}  // namespace cadre
