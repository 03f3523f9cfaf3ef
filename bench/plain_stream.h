// What gRPC itself can do: one stream of messages that mean nothing, over the same
// channels and servers as everything else. The limit that other streams are held
// against.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "rpc/server/server.h"

namespace cadre {

// The stream's method. Its first request is how many bytes a message of the server has, in
// digits; 0: the client sends.
inline constexpr char kPlainStreamMethod[] = "/cadre.bench.PlainStream/Exchange";

class PlainStreamServer {
 public:
  static std::unique_ptr<PlainStreamServer> Start(const std::string& address);
  virtual ~PlainStreamServer() = default;
  virtual const RpcServer& server() const = 0;
};

enum class PlainDirection { kToClient, kToServer };

// Messages per second of one stream, one message after the other, each in one piece
// that gRPC refers to.
double MeasurePlainStream(const std::string& address, PlainDirection direction,
                          int64_t message_bytes, absl::Duration duration);

}  // namespace cadre
