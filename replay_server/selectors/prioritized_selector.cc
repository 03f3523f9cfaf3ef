// In proportion to priority^alpha: proportional prioritisation (Schaul et al. 2016,
// equation 1 and appendix B.2.1).
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "common/check.h"
#include "replay_server/selectors/selector_kinds.h"
#include "replay_server/selectors/slot_set.h"
#include "replay_server/selectors/sum_tree.h"

namespace cadre {
namespace {

// So far priority^alpha may go: no sum over slots overflows, and what is above 0 stays so.
constexpr double kLeastMass = std::numeric_limits<double>::min();
constexpr double kMostMass = 1e290;

class PrioritizedSelector final : public Selector {
 public:
  PrioritizedSelector(double alpha, int64_t capacity)
      : alpha_(alpha), slots_(capacity), tree_(capacity) {}

  void Insert(int64_t slot, double priority) override {
    slots_.Insert(slot);
    tree_.Set(slot, MassOf(priority));
  }
  void Update(int64_t slot, double priority) override {
    CADRE_CHECK(slots_.Contains(slot));
    tree_.Set(slot, MassOf(priority));
  }
  void Remove(int64_t slot) override {
    slots_.Remove(slot);
    tree_.Set(slot, 0);
  }
  void Clear() override {
    slots_.Clear();
    tree_.Clear();
  }
  void ForEach(absl::FunctionRef<void(int64_t)> visit) const override { slots_.ForEach(visit); }

  int64_t size() const override { return slots_.size(); }
  double mass() const override {
    return tree_.total() > 0 ? tree_.total() : static_cast<double>(slots_.size());
  }

  void Select(Random& random, absl::Span<Selection> out) const override {
    CADRE_CHECK(slots_.size() > 0);
    if (tree_.total() > 0) {
      SelectByMass(random, out);
    } else {
      for (Selection& selection : out) selection = {slots_.Draw(random), 1 / mass()};
    }
  }

 private:
  // pow() costs more than all else here; the priority of new items is mostly that of the
  // one before.
  double MassOf(double priority) {
    CADRE_CHECK(std::isfinite(priority) && priority >= 0);
    if (alpha_ == 0) return 1;
    if (priority == 0) return 0;
    if (priority != last_priority_) {
      const double power = alpha_ == 1 ? priority : std::pow(priority, alpha_);
      last_priority_ = priority;
      last_mass_ = std::clamp(power, kLeastMass, kMostMass);
    }
    return last_mass_;
  }

  void SelectByMass(Random& random, absl::Span<Selection> out) const {
    constexpr size_t kTogether = 256;
    std::array<double, kTogether> points;
    std::array<int64_t, kTogether> found;
    const double total = tree_.total();
    const double last_point = std::nextafter(total, 0);
    const double share = total / static_cast<double>(out.size());
    for (size_t begin = 0; begin < out.size(); begin += kTogether) {
      const size_t count = std::min(kTogether, out.size() - begin);
      for (size_t k = 0; k < count; ++k)
        points[k] =
            std::min(share * (static_cast<double>(begin + k) + random.Uniform()), last_point);
      tree_.Find({points.data(), count}, {found.data(), count});
      for (size_t k = 0; k < count; ++k) out[begin + k] = {found[k], tree_.mass(found[k]) / total};
    }
  }

  const double alpha_;
  SlotSet slots_;
  SumTree tree_;
  double last_priority_ = 0;
  double last_mass_ = 0;  // Of last_priority_.
};

}  // namespace

std::unique_ptr<Selector> MakePrioritizedSelector(double alpha, int64_t capacity) {
  return std::make_unique<PrioritizedSelector>(alpha, capacity);
}

}  // namespace cadre
