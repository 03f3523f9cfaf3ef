#include "replay_server/selectors/selector.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

std::unique_ptr<Selector> Make(const std::string& kind, int64_t capacity) {
  SelectorConfig config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(kind, &config)) << kind;
  return MakeSelector(config, capacity);
}

// The slowest right selector: a list in the order of inserts.
class NaiveSelector {
 public:
  explicit NaiveSelector(const std::string& kind) {
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(kind, &config_));
  }

  void Insert(int64_t slot, double priority) { entries_.push_back({slot, priority}); }
  void Update(int64_t slot, double priority) { Find(slot)->priority = priority; }
  void Remove(int64_t slot) { entries_.erase(Find(slot)); }
  void Clear() { entries_.clear(); }

  int64_t size() const { return static_cast<int64_t>(entries_.size()); }
  bool Contains(int64_t slot) { return Find(slot) != entries_.end(); }

  double mass() const {
    double sum = 0;
    for (const Entry& entry : entries_) sum += Mass(entry.priority);
    return sum > 0 ? sum : static_cast<double>(size());
  }

  // With which each slot is chosen.
  std::map<int64_t, double> Probabilities() const {
    if (const std::optional<int64_t> only = Only()) return {{*only, 1.0}};
    double sum = 0;
    for (const Entry& entry : entries_) sum += Mass(entry.priority);
    std::map<int64_t, double> result;
    for (const Entry& entry : entries_) {
      const double p = sum > 0 ? Mass(entry.priority) / sum : 1.0 / static_cast<double>(size());
      if (p > 0) result[entry.slot] = p;
    }
    return result;
  }

 private:
  struct Entry {
    int64_t slot;
    double priority;
  };

  std::vector<Entry>::iterator Find(int64_t slot) {
    return std::find_if(entries_.begin(), entries_.end(),
                        [slot](const Entry& entry) { return entry.slot == slot; });
  }
  double Mass(double priority) const {
    return config_.has_prioritized() ? std::pow(priority, config_.prioritized().alpha()) : 1;
  }
  // Of those that leave no choice; max_element and min_element return the first of equals.
  std::optional<int64_t> Only() const {
    const auto less = [](const Entry& a, const Entry& b) { return a.priority < b.priority; };
    if (config_.has_fifo()) return entries_.front().slot;
    if (config_.has_lifo()) return entries_.back().slot;
    if (config_.has_max_heap())
      return std::max_element(entries_.begin(), entries_.end(), less)->slot;
    if (config_.has_min_heap())
      return std::min_element(entries_.begin(), entries_.end(), less)->slot;
    return {};
  }

  SelectorConfig config_;
  std::vector<Entry> entries_;
};

// --- What holds for every kind ---

class AnySelectorTest : public testing::TestWithParam<const char*> {};

void ExpectSame(const Selector& selector, const NaiveSelector& naive, Random& random) {
  ASSERT_EQ(selector.size(), naive.size());
  if (naive.size() == 0) {
    ASSERT_EQ(selector.mass(), 0);
    return;
  }
  ASSERT_NEAR(selector.mass(), naive.mass(), 1e-12 * naive.mass());
  const std::map<int64_t, double> wanted = naive.Probabilities();
  std::vector<Selection> batch(1 + random.Below(100), Selection{-1, -1});
  selector.Select(random, absl::MakeSpan(batch));
  for (const Selection& selection : batch) {
    const auto found = wanted.find(selection.slot);
    ASSERT_NE(found, wanted.end()) << "slot " << selection.slot;
    ASSERT_NEAR(selection.probability, found->second, 1e-12);
  }
}

TEST_P(AnySelectorTest, AgreesWithANaiveOneThroughRandomOperations) {
  for (const int64_t capacity : {1, 2, 16, 17, 300}) {
    const std::unique_ptr<Selector> selector = Make(GetParam(), capacity);
    NaiveSelector naive(GetParam());
    Random random(capacity);
    // Few different ones, so that there are equals and zeros.
    const auto priority = [&random] { return 0.5 * static_cast<double>(random.Below(8)); };
    for (int operation = 0; operation < 4000; ++operation) {
      const auto slot = static_cast<int64_t>(random.Below(capacity));
      const double p = priority();
      if (!naive.Contains(slot)) {
        selector->Insert(slot, p);
        naive.Insert(slot, p);
      } else if (random.Below(2) == 0) {
        selector->Update(slot, p);
        naive.Update(slot, p);
      } else {
        selector->Remove(slot);
        naive.Remove(slot);
      }
      if (random.Below(1000) == 0) {
        selector->Clear();
        naive.Clear();
      }
      ASSERT_NO_FATAL_FAILURE(ExpectSame(*selector, naive, random))
          << "capacity " << capacity << ", operation " << operation;
    }
  }
}

TEST_P(AnySelectorTest, IsEmptyAtFirstAndAfterClearAndThenTakesTheSameSlots) {
  const std::unique_ptr<Selector> selector = Make(GetParam(), 40);
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(selector->size(), 0);
    EXPECT_EQ(selector->mass(), 0);
    for (int64_t slot = 0; slot < 40; ++slot) selector->Insert(slot, 1);
    EXPECT_EQ(selector->size(), 40);
    EXPECT_EQ(selector->mass(), 40);
    selector->Clear();
  }
}

TEST_P(AnySelectorTest, SelectingChangesNothing) {
  const std::unique_ptr<Selector> selector = Make(GetParam(), 40);
  for (int64_t slot = 0; slot < 40; ++slot) selector->Insert(slot, static_cast<double>(slot));
  std::vector<Selection> first(100), second(100);
  Random random(1), same(1);
  selector->Select(random, absl::MakeSpan(first));
  selector->Select(same, absl::MakeSpan(second));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(first[i].slot, second[i].slot);
}

TEST_P(AnySelectorTest, MisuseEndsTheProcess) {
  const std::unique_ptr<Selector> selector = Make(GetParam(), 4);
  Random random(1);
  Selection one;
  EXPECT_DEATH(selector->Select(random, absl::MakeSpan(&one, 1)), "check failed");
  selector->Insert(2, 1);
  EXPECT_DEATH(selector->Insert(2, 1), "check failed");
  EXPECT_DEATH(selector->Insert(4, 1), "check failed");
  EXPECT_DEATH(selector->Insert(-1, 1), "check failed");
  EXPECT_DEATH(selector->Update(1, 1), "check failed");
  EXPECT_DEATH(selector->Remove(1), "check failed");
}

INSTANTIATE_TEST_SUITE_P(Kinds, AnySelectorTest,
                         testing::Values("uniform {}", "prioritized {}", "prioritized { alpha: 0 }",
                                         "prioritized { alpha: 1 }", "prioritized { alpha: 2.5 }",
                                         "fifo {}", "lifo {}", "max_heap {}", "min_heap {}"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace_if(
                               name.begin(), name.end(), [](char c) { return !std::isalnum(c); },
                               '_');
                           return name;
                         });

// --- Chances ---

// Draws in batches of `batch` and compares with `expected`, slot by slot.
void ExpectChances(const Selector& selector, const std::map<int64_t, double>& expected,
                   size_t batch) {
  constexpr int kDraws = 400'000;
  Random random(123);
  std::map<int64_t, double> counts;
  std::vector<Selection> drawn(batch);
  const auto batches = static_cast<int>(kDraws / batch);
  for (int i = 0; i < batches; ++i) {
    selector.Select(random, absl::MakeSpan(drawn));
    for (const Selection& selection : drawn) counts[selection.slot] += 1;
  }
  double chi_square = 0;
  for (const auto& [slot, probability] : expected) {
    const double wanted = probability * static_cast<double>(batches * batch);
    ASSERT_GT(wanted, 20) << "too few draws to judge slot " << slot;
    chi_square += std::pow(counts[slot] - wanted, 2) / wanted;
    counts.erase(slot);
  }
  EXPECT_THAT(counts, testing::IsEmpty()) << "slots that are not in";
  // Wilson and Hilferty: chi-square is this large with a probability of 0.0001. Stratified
  // draws vary less.
  const double freedom = static_cast<double>(expected.size()) - 1;
  const double limit =
      freedom * std::pow(1 - 2 / (9 * freedom) + 3.72 * std::sqrt(2 / (9 * freedom)), 3);
  EXPECT_LT(chi_square, limit);
}

class ChancesTest : public testing::TestWithParam<std::tuple<const char*, size_t>> {};

TEST_P(ChancesTest, FitChiSquareAfterManyUpdatesAndRemovals) {
  const auto& [kind, batch] = GetParam();
  constexpr int64_t kCapacity = 500;
  const std::unique_ptr<Selector> selector = Make(kind, kCapacity);
  NaiveSelector naive(kind);
  Random random(7);
  for (int operation = 0; operation < 100'000; ++operation) {
    const auto slot = static_cast<int64_t>(random.Below(kCapacity));
    const double priority = 0.2 + random.Uniform() * static_cast<double>(1 + slot % 5);
    if (!naive.Contains(slot)) {
      selector->Insert(slot, priority);
      naive.Insert(slot, priority);
    } else if (random.Below(4) > 0) {
      selector->Update(slot, priority);
      naive.Update(slot, priority);
    } else {
      selector->Remove(slot);
      naive.Remove(slot);
    }
  }
  ExpectChances(*selector, naive.Probabilities(), batch);
}

INSTANTIATE_TEST_SUITE_P(Kinds, ChancesTest,
                         testing::Combine(testing::Values("uniform {}", "prioritized {}",
                                                          "prioritized { alpha: 1 }"),
                                          testing::Values(1, 7, 1024)));

TEST(PrioritizedSelectorTest, DrawsOneFromEachShareOfTheMass) {
  const std::unique_ptr<Selector> selector = Make("prioritized { alpha: 1 }", 100);
  for (int64_t slot = 0; slot < 100; ++slot) selector->Insert(slot, 1);
  Random random(1);
  std::vector<Selection> batch(50);
  for (int round = 0; round < 100; ++round) {
    selector->Select(random, absl::MakeSpan(batch));
    for (size_t i = 0; i < batch.size(); ++i) ASSERT_EQ(batch[i].slot / 2, i);
  }
}

TEST(PrioritizedSelectorTest, PrioritiesThatSwingFrom1e8To1LeaveNoResidue) {
  constexpr int64_t kSlots = 1000;
  const std::unique_ptr<Selector> swung = Make("prioritized { alpha: 1 }", kSlots);
  const std::unique_ptr<Selector> fresh = Make("prioritized { alpha: 1 }", kSlots);
  Random random(3);
  for (int64_t slot = 0; slot < kSlots; ++slot) swung->Insert(slot, 1e8);
  for (int round = 0; round < 100'000; ++round)
    swung->Update(static_cast<int64_t>(random.Below(kSlots)), random.Below(2) == 0 ? 1e8 : 1e-8);
  for (int64_t slot = 0; slot < kSlots; ++slot) {
    const double priority = slot % 10 == 0 ? 0 : 1 + 0.1 * static_cast<double>(slot % 7);
    swung->Update(slot, priority);
    fresh->Insert(slot, priority);
  }
  EXPECT_EQ(swung->mass(), fresh->mass());  // To the last bit.
  std::vector<Selection> a(4096), b(4096);
  Random random_a(9), random_b(9);
  swung->Select(random_a, absl::MakeSpan(a));
  fresh->Select(random_b, absl::MakeSpan(b));
  for (size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(a[i].slot, b[i].slot);
    ASSERT_EQ(a[i].probability, b[i].probability);
    ASSERT_NE(a[i].slot % 10, 0) << "has priority 0";
  }
}

TEST(PrioritizedSelectorTest, WhereEveryPriorityIsZeroAllThatAreInAreAlike) {
  const std::unique_ptr<Selector> selector = Make("prioritized {}", 64);
  std::map<int64_t, double> expected;
  for (int64_t slot = 0; slot < 64; ++slot) selector->Insert(slot, static_cast<double>(slot));
  for (int64_t slot = 0; slot < 64; ++slot) {
    if (slot % 3 == 0) {
      selector->Remove(slot);
    } else {
      selector->Update(slot, 0);
      expected[slot] = 1.0 / 42;
    }
  }
  EXPECT_EQ(selector->mass(), 42);
  ExpectChances(*selector, expected, 32);
}

TEST(PrioritizedSelectorTest, APriorityOfZeroIsNeverChosenWhateverIsRounded) {
  // Masses whose sums are rounded, each between zeros; the last slots are 0 or not in.
  constexpr int64_t kSlots = 5000;
  const std::unique_ptr<Selector> selector = Make("prioritized { alpha: 1 }", kSlots);
  Random random(5);
  for (int64_t slot = 0; slot < kSlots - 20; ++slot)
    selector->Insert(slot, slot % 2 == 0 ? 0.0 : std::exp(random.Uniform(-40, 40)));
  std::vector<Selection> batch(1024);
  for (int round = 0; round < 500; ++round) {
    selector->Select(random, absl::MakeSpan(batch));
    for (const Selection& selection : batch) {
      ASSERT_EQ(selection.slot % 2, 1);
      ASSERT_LT(selection.slot, kSlots - 20);
      ASSERT_GT(selection.probability, 0);
    }
  }
}

TEST(PrioritizedSelectorTest, PowersBeyondAllBoundsStaySelectable) {
  const std::unique_ptr<Selector> selector = Make("prioritized { alpha: 10 }", 3);
  Random random(1);
  Selection one;
  selector->Insert(0, 1e-40);  // To the power of 10 it would be 0,
  EXPECT_GT(selector->mass(), 0);
  EXPECT_LT(selector->mass(), 1);  // and then each slot would count as 1.
  selector->Insert(1, 3e38);       // To the power of 10 it would be infinite.
  selector->Insert(2, 3e38);
  EXPECT_TRUE(std::isfinite(selector->mass()));
  selector->Select(random, absl::MakeSpan(&one, 1));
  EXPECT_EQ(one.probability, 0.5);
}

TEST(PrioritizedSelectorTest, APriorityThatIsNoNumberEndsTheProcess) {
  const std::unique_ptr<Selector> selector = Make("prioritized {}", 4);
  for (const double bad : {-1.0, std::nan(""), HUGE_VAL})
    EXPECT_DEATH(selector->Insert(0, bad), "check failed");
}

TEST(OrderedSelectorTest, GoesByTheInsertAndNotByPriorityOrSlot) {
  const std::unique_ptr<Selector> fifo = Make("fifo {}", 8), lifo = Make("lifo {}", 8);
  for (const int64_t slot : {5, 1, 7}) {
    fifo->Insert(slot, 1);
    lifo->Insert(slot, 1);
  }
  fifo->Update(7, 100);
  lifo->Update(5, 100);
  Random random(1);
  Selection one;
  for (const int64_t wanted : {5, 1, 7}) {
    fifo->Select(random, absl::MakeSpan(&one, 1));
    EXPECT_EQ(one.slot, wanted);
    fifo->Remove(one.slot);
  }
  for (const int64_t wanted : {7, 1, 5}) {
    lifo->Select(random, absl::MakeSpan(&one, 1));
    EXPECT_EQ(one.slot, wanted);
    lifo->Remove(one.slot);
  }
}

TEST(HeapSelectorTest, EqualsComeInTheOrderOfTheirInsertsAlsoAfterUpdates) {
  for (const char* kind : {"max_heap {}", "min_heap {}"}) {
    const std::unique_ptr<Selector> selector = Make(kind, 100);
    for (int64_t slot = 99; slot >= 0; --slot) selector->Insert(slot, 1);
    for (int64_t slot = 0; slot < 100; slot += 3) selector->Update(slot, 5);
    for (int64_t slot = 0; slot < 100; slot += 3) selector->Update(slot, 1);
    Random random(1);
    for (int64_t wanted = 99; wanted >= 0; --wanted) {
      Selection one;
      selector->Select(random, absl::MakeSpan(&one, 1));
      ASSERT_EQ(one.slot, wanted) << kind;
      selector->Remove(one.slot);
    }
  }
}

}  // namespace
}  // namespace cadre
