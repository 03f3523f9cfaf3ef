// The oldest or the newest: a doubly linked list over the slots.
#include <algorithm>
#include <vector>

#include "common/check.h"
#include "replay_server/selectors/selector_kinds.h"

namespace cadre {
namespace {

class OrderedSelector final : public Selector {
 public:
  OrderedSelector(InsertOrder order, int64_t capacity)
      : order_(order), ends_(static_cast<uint32_t>(capacity)), links_(capacity + 1) {
    Clear();
  }

  void Insert(int64_t slot, double) override {
    CADRE_CHECK(slot >= 0 && slot < ends_ && !Contains(slot));
    const auto newest = static_cast<uint32_t>(slot);
    const uint32_t before = links_[ends_].previous;
    links_[newest] = {before, ends_};
    links_[before].next = newest;
    links_[ends_].previous = newest;
    ++size_;
  }
  void Update(int64_t slot, double) override { CADRE_CHECK(Contains(slot)); }
  void Remove(int64_t slot) override {
    CADRE_CHECK(Contains(slot));
    const Link link = links_[slot];
    links_[link.previous].next = link.next;
    links_[link.next].previous = link.previous;
    links_[slot] = {};
    --size_;
  }
  void Clear() override {
    std::fill(links_.begin(), links_.end(), Link{});
    links_[ends_] = {ends_, ends_};
    size_ = 0;
  }
  void ForEach(absl::FunctionRef<void(int64_t)> visit) const override {
    for (uint32_t slot = links_[ends_].next; slot != ends_; slot = links_[slot].next) visit(slot);
  }

  int64_t size() const override { return size_; }
  double mass() const override { return static_cast<double>(size_); }

  void Select(Random&, absl::Span<Selection> out) const override {
    CADRE_CHECK(size_ > 0);
    const Link& ends = links_[ends_];
    std::fill(out.begin(), out.end(),
              Selection{order_ == InsertOrder::kFifo ? ends.next : ends.previous, 1});
  }

 private:
  static constexpr uint32_t kOut = ~uint32_t{0};
  struct Link {
    uint32_t previous = kOut;
    uint32_t next = kOut;
  };

  bool Contains(int64_t slot) const {
    return slot >= 0 && slot < ends_ && links_[slot].next != kOut;
  }

  const InsertOrder order_;
  const uint32_t ends_;      // What stands between the newest and the oldest.
  std::vector<Link> links_;  // By slot; [ends_] last. Oldest first.
  int64_t size_ = 0;
};

}  // namespace

std::unique_ptr<Selector> MakeOrderedSelector(InsertOrder order, int64_t capacity) {
  return std::make_unique<OrderedSelector>(order, capacity);
}

}  // namespace cadre
