// One Watch stream: sends what there is at once, and then whatever is newer than what
// was sent last. A slow reader skips the versions in between, as only one write is
// ever in flight and each takes the newest.
//
// At every moment exactly one party has the turn, and only it may write, finish or
// touch the members that are not constant: a reaction (at first the constructor), the
// write in flight, or the store in which the reactor waits. Who removes the reactor
// from the store takes the turn. After StartWrite or Finish it is given away.
#pragma once

#include <atomic>

#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/server_callback.h"
#include "param_server/parameter_metrics.h"
#include "param_server/parameter_store.h"

namespace cadre {

class WatchReactor final : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                           private ParameterStore::Waiter {
 public:
  // Refuses a request that is malformed or of another run. Deletes itself when done.
  // `store` and `metrics` must outlive the server.
  WatchReactor(ParameterStore* store, ParameterMetrics* metrics, const grpc::ByteBuffer& request);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  void OnChange() override;
  void SendOrWait();
  void Send();

  ParameterStore* const store_;
  ParameterMetrics* const metrics_;
  std::string model_;  // Constant after construction.
  std::atomic<bool> cancelled_ = false;

  int64_t sent_version_ = 0;  // Or what the client said it knows.
  v1::RunState sent_state_ = v1::RUN_STATE_UNSPECIFIED;
  grpc::ByteBuffer response_;  // Of the write in flight.
};

}  // namespace cadre
