// Which slot is next: the strategy by which a table samples items and removes
// segments. A selector knows slots (small numbers that its owner gives out and
// reuses) and priorities, nothing of what they stand for. Pure: randomness is an
// argument. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "common/random.h"
#include "proto/config.pb.h"

namespace cadre {

struct Selection {
  int64_t slot = 0;
  double probability = 0;  // With which this selector chooses that slot; 1 where it is no chance.
};

class Selector {
 public:
  virtual ~Selector() = default;

  // Adds a slot that is not in; 0 <= slot < capacity. `priority` is finite and >= 0;
  // kinds that do not go by it do not look at it.
  virtual void Insert(int64_t slot, double priority) = 0;
  // Both of a slot that is in.
  virtual void Update(int64_t slot, double priority) = 0;
  virtual void Remove(int64_t slot) = 0;

  virtual int64_t size() const = 0;
  // Sum of what slots are chosen in proportion to: size() where all are alike.
  virtual double mass() const = 0;

  // Fills `out` with slots, each chosen from all that are in (>= 1); with more than
  // one, Prioritized draws one from each of as many equal shares of the mass (Schaul
  // et al. 2016, section 3.3). Changes nothing: a slot may come twice. Where every
  // priority is 0 all are alike.
  virtual void Select(Random& random, absl::Span<Selection> out) const = 0;

  // Forgets all slots.
  virtual void Clear() = 0;

  // All slots, in an order in which another selector of this kind would have to be given
  // them to choose as this one does.
  virtual void ForEach(absl::FunctionRef<void(int64_t slot)> visit) const = 0;
};

// Slots are kept in 32 bits.
inline constexpr int64_t kMaxSelectorCapacity = (int64_t{1} << 32) - 2;

// `config` names a kind and is valid; slots are below `capacity`, which is at most
// kMaxSelectorCapacity. All memory is taken here.
//   uniform      every slot alike
//   prioritized  in proportion to priority^alpha; with alpha 0 every slot alike
//   fifo, lifo   the slot whose Insert was first, last
//   max_heap, min_heap  the slot of the highest, lowest priority; among equals the first
std::unique_ptr<Selector> MakeSelector(const SelectorConfig& config, int64_t capacity);

}  // namespace cadre
