// One Watch stream: sends what there is at once, and then whatever is newer than what
// was sent last. A slow reader skips the versions in between, as only one write is
// ever in flight and each takes the newest.
//
// At every moment exactly one party has the turn, and only it may write, finish or
// touch the members that are not constant: a reaction (at first the constructor), the
// write in flight, the store in which the reactor waits, or the sender's queue. Who
// removes the reactor from the store takes the turn. After StartWrite or Finish it is given away.
#pragma once

#include <atomic>

#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/server_callback.h"
#include "param_server/bfloat16_cache.h"
#include "param_server/parameter_metrics.h"
#include "param_server/parameter_store.h"
#include "param_server/serial_executor.h"

namespace cadre {

class WatchReactor final : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                           private ParameterStore::Waiter {
 public:
  // Refuses a request that is malformed or of another run. Deletes itself when done. What
  // there is to send when a version comes in is sent by `sender`, so that whoever brought
  // it never waits for its readers, and what is to be encoded is sent by it at any time. All
  // must outlive the server.
  WatchReactor(ParameterStore* store, ParameterMetrics* metrics, Bfloat16Cache* bfloat16,
               SerialExecutor* sender, const grpc::ByteBuffer& request);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  void OnChange() override;
  void SendOrWait();
  void Send();

  ParameterStore* const store_;
  ParameterMetrics* const metrics_;
  Bfloat16Cache* const bfloat16_;
  SerialExecutor* const sender_;
  std::string model_;  // Constant after construction, as `encoding_`.
  v1::ValueEncoding encoding_ = v1::VALUE_ENCODING_FLOAT32;
  std::atomic<bool> cancelled_ = false;

  int64_t sent_version_ = 0;  // Or what the client said it knows.
  v1::RunState sent_state_ = v1::RUN_STATE_UNSPECIFIED;
  grpc::ByteBuffer response_;  // Of the write in flight.
};

}  // namespace cadre
