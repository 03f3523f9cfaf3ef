// A cadre_replay_server of its own for a benchmark, on loopback; it ends with this.
#pragma once

#include <sys/types.h>

#include <string>

#include "proto/config.pb.h"

namespace cadre {

class ServerProcess {
 public:
  // `binary`: where cadre_replay_server is. Returns once it listens.
  ServerProcess(const std::string& binary, const TableConfig& table);
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  const std::string& address() const { return address_; }

 private:
  const std::string folder_;
  pid_t process_ = 0;
  std::string address_;
};

}  // namespace cadre
