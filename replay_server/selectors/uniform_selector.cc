// Every slot alike.
#include "common/check.h"
#include "replay_server/selectors/selector_kinds.h"
#include "replay_server/selectors/slot_set.h"

namespace cadre {
namespace {

class UniformSelector final : public Selector {
 public:
  explicit UniformSelector(int64_t capacity) : slots_(capacity) {}

  void Insert(int64_t slot, double) override { slots_.Insert(slot); }
  void Update(int64_t slot, double) override { CADRE_CHECK(slots_.Contains(slot)); }
  void Remove(int64_t slot) override { slots_.Remove(slot); }
  void Clear() override { slots_.Clear(); }
  void ForEach(absl::FunctionRef<void(int64_t)> visit) const override { slots_.ForEach(visit); }

  int64_t size() const override { return slots_.size(); }
  double mass() const override { return static_cast<double>(slots_.size()); }

  void Select(Random& random, absl::Span<Selection> out) const override {
    CADRE_CHECK(slots_.size() > 0);
    const double probability = 1 / mass();
    for (Selection& selection : out) selection = {slots_.Draw(random), probability};
  }

 private:
  SlotSet slots_;
};

}  // namespace

std::unique_ptr<Selector> MakeUniformSelector(int64_t capacity) {
  return std::make_unique<UniformSelector>(capacity);
}

}  // namespace cadre
