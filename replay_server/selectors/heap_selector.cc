// The highest or the lowest priority: a binary heap that knows where each slot is.
#include <algorithm>
#include <vector>

#include "common/check.h"
#include "replay_server/selectors/selector_kinds.h"

namespace cadre {
namespace {

class HeapSelector final : public Selector {
 public:
  HeapSelector(HeapTop top, int64_t capacity)
      : sign_(top == HeapTop::kHighest ? 1 : -1), positions_(capacity, kOut) {
    heap_.reserve(capacity);
  }

  void Insert(int64_t slot, double priority) override {
    CADRE_CHECK(slot >= 0 && slot < capacity() && !Contains(slot));
    heap_.emplace_back();
    Place(Entry{sign_ * priority, inserts_++, slot}, heap_.size() - 1);
  }
  void Update(int64_t slot, double priority) override {
    CADRE_CHECK(Contains(slot));
    const size_t position = positions_[slot];
    Place(Entry{sign_ * priority, heap_[position].order, slot}, position);
  }
  void Remove(int64_t slot) override {
    CADRE_CHECK(Contains(slot));
    const size_t position = positions_[slot];
    const Entry last = heap_.back();
    heap_.pop_back();
    positions_[slot] = kOut;
    if (last.slot != slot) Place(last, position);
  }
  void Clear() override {
    for (const Entry& entry : heap_) positions_[entry.slot] = kOut;
    heap_.clear();
  }
  void ForEach(absl::FunctionRef<void(int64_t)> visit) const override {
    std::vector<Entry> entries = heap_;
    std::sort(entries.begin(), entries.end(),
              [](const Entry& a, const Entry& b) { return a.order < b.order; });
    for (const Entry& entry : entries) visit(entry.slot);
  }

  int64_t size() const override { return static_cast<int64_t>(heap_.size()); }
  double mass() const override { return static_cast<double>(heap_.size()); }

  void Select(Random&, absl::Span<Selection> out) const override {
    CADRE_CHECK(!heap_.empty());
    for (Selection& selection : out) selection = {heap_.front().slot, 1};
  }

 private:
  static constexpr uint32_t kOut = ~uint32_t{0};
  struct Entry {
    double key = 0;     // The largest is on top; among equals the lowest order.
    int64_t order = 0;  // Inserts before it.
    int64_t slot = 0;

    bool Before(const Entry& other) const {
      return key != other.key ? key > other.key : order < other.order;
    }
  };

  int64_t capacity() const { return static_cast<int64_t>(positions_.size()); }
  bool Contains(int64_t slot) const {
    return slot >= 0 && slot < capacity() && positions_[slot] != kOut;
  }

  void Put(const Entry& entry, size_t position) {
    heap_[position] = entry;
    positions_[entry.slot] = static_cast<uint32_t>(position);
  }

  // Puts `entry` where `hole` is, or up or down from there, moving others to the hole.
  void Place(const Entry& entry, size_t hole) {
    while (hole > 0 && entry.Before(heap_[(hole - 1) / 2])) {
      Put(heap_[(hole - 1) / 2], hole);
      hole = (hole - 1) / 2;
    }
    while (true) {
      size_t child = 2 * hole + 1;
      if (child >= heap_.size()) break;
      if (child + 1 < heap_.size() && heap_[child + 1].Before(heap_[child])) ++child;
      if (!heap_[child].Before(entry)) break;
      Put(heap_[child], hole);
      hole = child;
    }
    Put(entry, hole);
  }

  const double sign_;
  std::vector<Entry> heap_;
  std::vector<uint32_t> positions_;  // In heap_, by slot.
  int64_t inserts_ = 0;
};

}  // namespace

std::unique_ptr<Selector> MakeHeapSelector(HeapTop top, int64_t capacity) {
  return std::make_unique<HeapSelector>(top, capacity);
}

}  // namespace cadre
