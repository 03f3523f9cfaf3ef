#include "replay_server/storage/row_pins.h"

#include <memory>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr absl::Duration kLong = absl::Seconds(60);
constexpr absl::Duration kShort = absl::Milliseconds(20);

class RowPinsTest : public ::testing::Test {
 protected:
  void Make(absl::Duration longest_wait) {
    pins_ = *RowPins::Create(
        [this](const std::vector<uint64_t>& gathers) {
          absl::MutexLock lock(&mutex_);
          returned_.insert(returned_.end(), gathers.begin(), gathers.end());
        },
        longest_wait);
  }
  std::shared_ptr<const void> Pin(uint64_t gather, std::shared_ptr<const void> memory = nullptr) {
    return pins_->Pin(gather, std::move(memory), [this, gather] {
      absl::MutexLock lock(&mutex_);
      overdue_.push_back(gather);
    });
  }
  // The first `count` numbers that come; fewer where they do not.
  std::vector<uint64_t> Await(const std::vector<uint64_t>& numbers, size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto there = [&] { return numbers.size() >= count; };
    mutex_.AwaitWithTimeout(absl::Condition(&there), absl::Seconds(20));
    return numbers;
  }

  absl::Mutex mutex_;
  std::vector<uint64_t> returned_, overdue_;  // Under mutex_.
  std::unique_ptr<RowPins> pins_;
};

TEST_F(RowPinsTest, AGatherIsReturnedWhenItsLastOwnerIsGone) {
  Make(kLong);
  std::shared_ptr<const void> first = Pin(1), second = Pin(2);
  const std::shared_ptr<const void> also_first = first;
  first.reset();
  second.reset();
  EXPECT_THAT(Await(returned_, 1), ElementsAre(2));
}

TEST_F(RowPinsTest, MemoryStaysAsLongAsItsOwnerEvenWithoutThePins) {
  Make(kLong);
  auto memory = std::make_shared<int>(7);
  const std::weak_ptr<int> alive = memory;
  std::shared_ptr<const void> owner = Pin(1, std::move(memory));
  pins_.reset();
  EXPECT_FALSE(alive.expired());
  owner.reset();
  EXPECT_TRUE(alive.expired());
  EXPECT_THAT(returned_, IsEmpty()) << "there is nobody to tell any more";
}

TEST_F(RowPinsTest, OnlyWhatIsWantedBecomesOverdue) {
  Make(kShort);
  EXPECT_FALSE(pins_->Wanted()) << "nothing is pinned";
  const std::shared_ptr<const void> first = Pin(1), second = Pin(2);
  EXPECT_TRUE(pins_->Wanted());
  const std::shared_ptr<const void> later = Pin(3);
  EXPECT_THAT(Await(overdue_, 2), UnorderedElementsAre(1, 2));
}

TEST_F(RowPinsTest, ThoseThatAreStillWantedBecomeOverdueAgain) {
  Make(kShort);
  const std::shared_ptr<const void> owner = Pin(1);
  pins_->Wanted();
  ASSERT_THAT(Await(overdue_, 1), ElementsAre(1));
  pins_->Wanted();
  EXPECT_THAT(Await(overdue_, 2), ElementsAre(1, 1));
}

TEST_F(RowPinsTest, WhatIsReturnedInTimeDoesNotBecomeOverdue) {
  Make(absl::Seconds(2));
  std::shared_ptr<const void> first = Pin(1);
  const std::shared_ptr<const void> second = Pin(2);
  pins_->Wanted();
  first.reset();
  EXPECT_THAT(Await(returned_, 1), ElementsAre(1));
  EXPECT_THAT(Await(overdue_, 1), ElementsAre(2));
}

}  // namespace
}  // namespace cadre
