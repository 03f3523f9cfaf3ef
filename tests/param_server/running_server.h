// A parameter server inside the test process, on a port of its own or a given one.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "param_server/parameter_service.h"
#include "rpc/server/server.h"

namespace cadre {

class RunningServer {
 public:
  // `snapshot`: what the store holds before anybody is served; may be null. `upstream`: of
  // a replica.
  explicit RunningServer(const std::string& run_id, const std::string& address = "127.0.0.1:0",
                         const ParameterStore::Snapshot* snapshot = nullptr,
                         const std::string& upstream = "")
      : store_(run_id), metrics_(&registry_), service_(&store_, &metrics_, upstream) {
    if (snapshot != nullptr) {
      EXPECT_TRUE(store_.Restore(*snapshot).ok());
    }
    absl::StatusOr<std::unique_ptr<RpcServer>> server = RpcServer::Create(address, {&service_});
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  ~RunningServer() { Stop(); }

  // As the binary does on SIGTERM.
  void Stop() {
    store_.Close();
    server_->Shutdown(absl::Seconds(60));
  }

  // Cancels what is in flight; the store stays open.
  void CutOff() { server_->Shutdown(absl::ZeroDuration()); }

  const std::string& address() const { return server_->address(); }
  ParameterStore& store() { return store_; }
  ParameterMetrics& metrics() { return metrics_; }

 private:
  prometheus::Registry registry_;
  ParameterStore store_;
  ParameterMetrics metrics_;
  ParameterService service_;
  std::unique_ptr<RpcServer> server_;
};

}  // namespace cadre
