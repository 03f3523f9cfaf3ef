// A set of slots, of which one can be drawn at random: all in one dense array, and
// where each is there. Everything takes constant time. Not thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "common/check.h"
#include "common/random.h"

namespace cadre {

class SlotSet {
 public:
  explicit SlotSet(int64_t capacity) : positions_(capacity, kOut) { slots_.reserve(capacity); }

  void Insert(int64_t slot) {
    CADRE_CHECK(slot >= 0 && slot < capacity() && !Contains(slot));
    positions_[slot] = static_cast<uint32_t>(slots_.size());
    slots_.push_back(static_cast<uint32_t>(slot));
  }
  void Remove(int64_t slot) {
    CADRE_CHECK(Contains(slot));
    const uint32_t position = positions_[slot];
    slots_[position] = slots_.back();
    positions_[slots_[position]] = position;
    positions_[slot] = kOut;
    slots_.pop_back();
  }
  void Clear() {
    for (const uint32_t slot : slots_) positions_[slot] = kOut;
    slots_.clear();
  }

  bool Contains(int64_t slot) const {
    return slot >= 0 && slot < capacity() && positions_[slot] != kOut;
  }
  int64_t size() const { return static_cast<int64_t>(slots_.size()); }
  int64_t capacity() const { return static_cast<int64_t>(positions_.size()); }

  // All, in an order in which to insert them into another set for it to draw alike.
  void ForEach(absl::FunctionRef<void(int64_t slot)> visit) const {
    for (const uint32_t slot : slots_) visit(slot);
  }

  // Each alike. There must be one.
  int64_t Draw(Random& random) const { return slots_[random.Below(slots_.size())]; }

 private:
  static constexpr uint32_t kOut = ~uint32_t{0};

  std::vector<uint32_t> slots_;
  std::vector<uint32_t> positions_;  // In slots_, by slot.
};

}  // namespace cadre
