// Replay servers on loopback inside a test, and waiting for what they do.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "replay_server/service/experience_service.h"
#include "replay_server/storage/queue.h"
#include "replay_server/storage/table.h"
#include "rpc/server/server.h"

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

// One with a table, and an empty queue beside it.
struct TableServer {
  explicit TableServer(TableOptions options, const std::string& address = "127.0.0.1:0")
      : table(*Table::Create(std::move(options))),
        service({&queue}, {table.get()}),
        server(*RpcServer::Create(address, {&service})) {}

  Queue queue{QueueOptions()};
  std::unique_ptr<Table> table;
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
