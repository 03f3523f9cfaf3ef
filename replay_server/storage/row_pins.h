// Rows of a table that are sent from where they stand: they stay as they are until their
// last owner lets go, which is gRPC, whenever it has written them. Owners may let go
// under any lock and on any thread, and later than the table goes; what is to be done
// about it happens on a thread of this. Thread-safe.
//
// Who reads too slowly must not keep the rows from those who need them: once somebody
// wants them (Wanted), pins that are not returned within kLongestWait are overdue.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace cadre {

class RowPins {
 public:
  static constexpr absl::Duration kLongestWait = absl::Seconds(2);

  // Both are called on the thread of this, without locks.
  using Returned = std::function<void(const std::vector<uint64_t>& gathers)>;
  using Overdue = std::function<void()>;

  // RESOURCE_EXHAUSTED where there is no thread for it.
  static absl::StatusOr<std::unique_ptr<RowPins>> Create(
      Returned returned, absl::Duration longest_wait = kLongestWait);
  ~RowPins();

  // The owner of the rows of `gather`, which keeps `memory` too. `overdue`, which may be
  // called more than once and after the rows were returned, makes their reader let go.
  std::shared_ptr<const void> Pin(uint64_t gather, std::shared_ptr<const void> memory,
                                  Overdue overdue);

  // Whether anything is pinned; if so, the wait for what is begins, unless it has already.
  bool Wanted();

 private:
  struct State;
  struct Owner;
  RowPins(std::shared_ptr<State> state, std::thread thread);
  static void Run(State& state, const Returned& returned);

  const std::shared_ptr<State> state_;  // Shared with owners.
  std::thread thread_;
};

}  // namespace cadre
