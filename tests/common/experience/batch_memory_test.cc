#include "common/experience/batch_memory.h"

#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include "common/experience/experience_spec.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

bool IsAligned(const void* data) { return reinterpret_cast<uintptr_t>(data) % 64 == 0; }

std::vector<v1::ColumnSpec> Columns() {
  v1::ExperienceSpec spec;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
      "columns { name: 'obs' dtype: DTYPE_UINT8 shape: [3, 5] }"
      "columns { name: 'action' dtype: DTYPE_INT64 }"
      "columns { name: 'reward' dtype: DTYPE_FLOAT32 shape: 7 }",
      &spec));
  return {spec.columns().begin(), spec.columns().end()};
}

TEST(BatchMemoryPoolTest, HandsOutTheSameMemoryAgain) {
  BatchMemoryPool pool;
  std::shared_ptr<std::byte> block = pool.Take(1000);
  EXPECT_TRUE(IsAligned(block.get()));
  const std::byte* const former = block.get();
  block.reset();
  EXPECT_EQ(pool.Take(960).get(), former);
}

TEST(BatchMemoryPoolTest, MemoryInUseIsNobodyElses) {
  BatchMemoryPool pool;
  std::vector<std::shared_ptr<std::byte>> blocks;
  std::set<const std::byte*> places;
  for (int i = 0; i < 40; ++i) {
    blocks.push_back(pool.Take(256));
    std::memset(blocks.back().get(), i, 256);
    places.insert(blocks.back().get());
  }
  EXPECT_EQ(places.size(), 40);
  for (int i = 0; i < 40; ++i)
    for (int k = 0; k < 256; ++k) ASSERT_EQ(std::to_integer<int>(blocks[i].get()[k]), i);
}

TEST(BatchMemoryPoolTest, AMuchLargerBlockIsNotWastedOnASmallBatch) {
  BatchMemoryPool pool;
  const std::byte* large;
  {
    std::shared_ptr<std::byte> block = pool.Take(1 << 20);
    large = block.get();
  }
  const std::shared_ptr<std::byte> small = pool.Take(64);
  EXPECT_NE(small.get(), large);
  const std::shared_ptr<std::byte> again = pool.Take(1 << 20);
  EXPECT_EQ(again.get(), large);
}

TEST(BatchMemoryPoolTest, KeepsNoMoreThanItMay) {
  BatchMemoryPool pool(/*most_idle=*/2);
  std::vector<std::shared_ptr<std::byte>> blocks;
  for (int i = 0; i < 3; ++i) blocks.push_back(pool.Take(4096));
  const std::byte* const second = blocks[1].get();
  const std::byte* const third = blocks[2].get();
  blocks.clear();  // Front first: so the first block goes for good.
  const std::shared_ptr<std::byte> a = pool.Take(4096), b = pool.Take(4096);
  EXPECT_THAT(
      std::set({static_cast<const std::byte*>(a.get()), static_cast<const std::byte*>(b.get())}),
      testing::Eq(std::set({second, third})));
}

TEST(BatchMemoryPoolTest, MemoryMayOutliveItsPool) {
  std::shared_ptr<std::byte> block;
  {
    BatchMemoryPool pool;
    block = pool.Take(100);
    pool.Take(100).reset();
  }
  std::memset(block.get(), 1, 100);
  block.reset();  // Leaks and misuse are AddressSanitizer's to find.
}

TEST(BatchMemoryPoolTest, AnyThreadTakesAndGivesBack) {
  BatchMemoryPool pool(4);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread)
    threads.emplace_back([&pool, thread] {
      for (int i = 0; i < 2000; ++i) {
        const size_t bytes = 64 << (i % 4);
        const std::shared_ptr<std::byte> block = pool.Take(bytes);
        std::memset(block.get(), thread, bytes);
        for (size_t k = 0; k < bytes; k += 63)
          ASSERT_EQ(std::to_integer<int>(block.get()[k]), thread);
      }
    });
  for (std::thread& thread : threads) thread.join();
}

TEST(AllocateBatchTest, GivesEachColumnItsOwnAlignedBlock) {
  BatchMemoryPool pool;
  const std::vector<v1::ColumnSpec> columns = Columns();
  for (const int64_t items : {1, 7, 64}) {
    BatchInMaking made = AllocateBatch(pool, columns, items);
    const auto rows = static_cast<size_t>(items);
    // Each block is filled with a number of its own; an overlap would show.
    struct Block {
      std::byte* data;
      size_t bytes;
    };
    std::vector<Block> blocks = {{reinterpret_cast<std::byte*>(made.keys), rows * 8},
                                 {reinterpret_cast<std::byte*>(made.probabilities), rows * 4},
                                 {reinterpret_cast<std::byte*>(made.weights), rows * 4},
                                 {reinterpret_cast<std::byte*>(made.ages), rows * 8}};
    ASSERT_EQ(made.columns.size(), 3);
    for (size_t i = 0; i < columns.size(); ++i)
      blocks.push_back({made.columns[i], rows * static_cast<size_t>(RowBytes(columns[i]))});
    for (size_t i = 0; i < blocks.size(); ++i) {
      EXPECT_TRUE(IsAligned(blocks[i].data)) << "block " << i;
      std::memset(blocks[i].data, static_cast<int>(i), blocks[i].bytes);
    }
    for (size_t i = 0; i < blocks.size(); ++i)
      for (size_t k = 0; k < blocks[i].bytes; ++k)
        ASSERT_EQ(std::to_integer<size_t>(blocks[i].data[k]), i);
  }
}

TEST(AllocateBatchTest, TheBatchShowsWhatIsWritten) {
  BatchMemoryPool pool;
  BatchInMaking made = AllocateBatch(pool, Columns(), 2);
  made.keys[1] = 5;
  made.probabilities[1] = 0.25f;
  made.weights[0] = 1;
  made.ages[1] = -3;
  const float reward = 2.5f;
  std::memcpy(made.columns[2] + 13 * sizeof(float), &reward, sizeof(float));
  const ReplayBatch& batch = made.batch;
  EXPECT_EQ(batch.items, 2);
  EXPECT_EQ(batch.keys.size(), 2);
  EXPECT_EQ(batch.keys[1], 5);
  EXPECT_EQ(batch.probabilities[1], 0.25f);
  EXPECT_EQ(batch.weights[0], 1);
  EXPECT_EQ(batch.ages[1], -3);
  ASSERT_EQ(batch.columns.size(), 3);
  EXPECT_THAT(batch.columns[0].shape, testing::ElementsAre(2, 3, 5));
  EXPECT_EQ(batch.columns[0].dtype, v1::DTYPE_UINT8);
  EXPECT_THAT(batch.columns[1].shape, testing::ElementsAre(2));
  EXPECT_THAT(batch.columns[2].shape, testing::ElementsAre(2, 7));
  EXPECT_EQ(ColumnAs<float>(batch.columns[2].bytes)[13], 2.5f);
}

TEST(AllocateBatchTest, ItsMemoryGoesBackWithTheLastBatch) {
  BatchMemoryPool pool;
  const std::byte* place;
  ReplayBatch kept;
  {
    BatchInMaking made = AllocateBatch(pool, Columns(), 4);
    place = made.columns[0];
    kept = made.batch;
  }
  EXPECT_NE(AllocateBatch(pool, Columns(), 4).columns[0], place);
  kept = {};
  const BatchInMaking first = AllocateBatch(pool, Columns(), 4);
  const BatchInMaking second = AllocateBatch(pool, Columns(), 4);
  EXPECT_TRUE(first.columns[0] == place || second.columns[0] == place);
}

}  // namespace
}  // namespace cadre
