// Exactly-once bookkeeping: which sequence numbers of which writer were accepted,
// and up to which one all are settled. Pure; not thread-safe.
//
// Writers that have left and are settled are remembered, so that a late resend is
// known as a duplicate, but only the newest `max_idle_writers` of them. One that
// was forgotten and returns is taken at whatever sequence it says next, as after a
// restart of the server: a resend of what was consumed before then passes here, and
// is caught at the consumer (rpc/client/lease_ledger.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <set>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace cadre {

class WriterSequences {
 public:
  enum class Verdict { kNext, kDuplicate, kGap };

  explicit WriterSequences(size_t max_idle_writers) : max_idle_writers_(max_idle_writers) {}

  // A writer is never forgotten between its Open and its Close; each Open needs one.
  void Open(uint64_t writer);
  void Close(uint64_t writer);

  // What `sequence` would be for this writer. Anything from 1 on is next for one
  // that has not accepted any.
  Verdict Check(uint64_t writer, uint64_t sequence) const;

  // `sequence` must be next. Accepted ones are unsettled.
  void Accept(uint64_t writer, uint64_t sequence);
  // `sequence` must be accepted and unsettled.
  void Settle(uint64_t writer, uint64_t sequence);

  // All up to `sequence` are over for this writer, which has nothing unsettled, even
  // those that were never accepted. Of one that it has accepted already: no change.
  void Skip(uint64_t writer, uint64_t sequence);

  // All sequences up to this one are settled; 0 where nothing is known.
  uint64_t settled(uint64_t writer) const;
  // The sequence that Check would call next; 0: any.
  uint64_t next(uint64_t writer) const;
  size_t size() const { return writers_.size(); }

  struct Last {
    uint64_t writer;
    uint64_t sequence;  // The last that it has accepted.
  };
  // Those who left first at the front. For another object to Skip() to, which then knows
  // what this one does of all that is settled.
  std::vector<Last> LastAccepted() const;

 private:
  struct Writer {
    uint64_t last_accepted = 0;    // 0: none yet.
    std::set<uint64_t> unsettled;  // Of those accepted.
    int open = 0;
    uint64_t idle_stamp = 0;  // When it last became idle; see idle_.
  };
  struct Idle {
    uint64_t writer;
    uint64_t stamp;
  };

  static bool IsIdle(const Writer& state) { return state.open == 0 && state.unsettled.empty(); }
  void ForgetOldest(uint64_t writer_now_idle);

  const size_t max_idle_writers_;
  absl::flat_hash_map<uint64_t, Writer> writers_;
  // In the order in which they became idle. Entries whose stamp is no longer their
  // writer's are void: it was active again since.
  std::deque<Idle> idle_;
  uint64_t last_stamp_ = 0;
};

}  // namespace cadre
