// Serves Prometheus metrics over HTTP:
//   GET /metrics   the registry, and what else there is to collect, in the text format
//   GET /healthz   200 "ok", or 503 and the reason
//   GET /livez     200 "ok" as long as the process answers
// A process has one registry and one struct of its own with its counters, looked
// up once; its names begin with cadre_<process>_ and end with their unit.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "prometheus/collectable.h"
#include "prometheus/registry.h"

struct mg_connection;
struct mg_context;

namespace cadre {

// Is the process able to do its work? Called on the server's threads, at any time
// until the server is destroyed; must not block.
using HealthCheck = std::function<absl::Status()>;

class MetricsServer {
 public:
  using Collectables = std::vector<std::shared_ptr<const prometheus::Collectable>>;

  // Listens on `address`: "9100", "127.0.0.1:9100"; without a host, on every
  // interface. Port 0 picks a free one. `health` may be null: always healthy.
  // `more` is shown after the registry: process_metrics.h. UNAVAILABLE where it cannot
  // listen, INVALID_ARGUMENT for what is no address.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Create(
      const std::string& address, std::shared_ptr<prometheus::Registry> registry,
      HealthCheck health, Collectables more = {});

  // Joins its threads, which takes up to 2 s: civetweb looks that often.
  ~MetricsServer();
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

  int port() const { return port_; }

 private:
  struct ServerLog;
  MetricsServer(std::shared_ptr<prometheus::Registry> registry, HealthCheck health,
                Collectables more);
  absl::Status Listen(const std::string& address);

  // Called by civetweb on its threads; `server` is a MetricsServer.
  static int AnswerMetrics(mg_connection* connection, void* server);
  static int AnswerHealth(mg_connection* connection, void* server);
  static int AnswerAlive(mg_connection* connection, void* server);

  const std::shared_ptr<prometheus::Registry> registry_;  // Thread-safe itself.
  const HealthCheck health_;
  const Collectables more_;  // Also collected on each scrape.
  const std::unique_ptr<ServerLog> log_;
  mg_context* context_ = nullptr;  // Constant once Create has returned.
  int port_ = 0;                   // Likewise.
};

}  // namespace cadre
