// A replay server on loopback inside a test, and waiting for what it does.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "replay_server/experience_service.h"
#include "replay_server/queue.h"
#include "rpc/server.h"

namespace cadre {

struct ExperienceServer {
  explicit ExperienceServer(QueueOptions options, const std::string& address = "127.0.0.1:0")
      : queue(std::move(options)),
        service({&queue}),
        server(*RpcServer::Create(address, {&service})) {}

  // Breaks all connections as a crash would: no stream gets a status.
  void Kill() { server->Shutdown(absl::ZeroDuration()); }

  Queue queue;
  ExperienceService service;
  std::unique_ptr<RpcServer> server;
};

// True once `condition` holds, false if it takes unreasonably long.
template <typename Condition>
bool Eventually(Condition condition) {
  const absl::Time limit = absl::Now() + absl::Seconds(30);
  while (!condition()) {
    if (absl::Now() > limit) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace cadre
