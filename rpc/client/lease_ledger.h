// What makes a consumer exactly-once: it knows which rollouts it has handed to its
// caller, so that those which a server sends again, after a break or a restart, are
// dropped instead of used twice. Pure; not thread-safe.
//
// Two kinds of leases. The caller's live as long as it likes; the server's end with
// the connection, after which it may send their rollouts again. A server's lease is
// acknowledged once the caller has used every rollout in it, under whichever of its
// own leases it got them.
//
// Its memory is bounded: of each writer, the newest gaps in what was handed out; of
// writers, those that were last heard of. Both are far more than a writer's window of
// unsettled rollouts, outside of which nothing is sent again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "proto/experience.pb.h"
#include "rpc/client/sequence_set.h"

namespace cadre {

class LeaseLedger {
 public:
  explicit LeaseLedger(size_t most_writers = 100'000) : most_writers_(most_writers) {}

  // A new lease of the caller's, empty at first.
  uint64_t NewLease();

  // Takes a lease from the server: appends the rollouts that the caller has not had
  // to `fresh`, as part of its `lease`. Returns the server's leases to acknowledge.
  std::vector<uint64_t> Receive(uint64_t server_lease, v1::ConsumeResponse& response,
                                uint64_t lease, std::vector<v1::Rollout>* fresh);

  // The caller has used its lease: returns the server's leases to acknowledge.
  // NOT_FOUND unless it is open.
  absl::StatusOr<std::vector<uint64_t>> Acknowledge(uint64_t lease);

  // The connection is gone, and with it the server's leases.
  void Disconnect() { server_leases_.clear(); }

  int64_t duplicates() const { return duplicates_; }  // Dropped so far.
  size_t writers() const { return writers_.size(); }

 private:
  using Key = std::pair<uint64_t, uint64_t>;  // Writer, sequence.
  struct Writer {
    SequenceSet used;
    uint64_t last_heard;
  };

  void Use(const Key& key);
  void ForgetOldWriters();

  const size_t most_writers_;
  uint64_t last_lease_ = 0;
  uint64_t clock_ = 0;
  int64_t duplicates_ = 0;
  absl::flat_hash_map<uint64_t, std::vector<Key>> leases_;  // The caller's open ones.
  absl::flat_hash_map<Key, uint64_t> handed_out_;           // To the open lease it is in.
  absl::flat_hash_map<uint64_t, Writer> writers_;           // What acknowledged leases held.
  // The server's open leases, to those of the caller's that they wait for.
  absl::flat_hash_map<uint64_t, absl::flat_hash_set<uint64_t>> server_leases_;
};

}  // namespace cadre
