#include "learner/batches/staging_buffers.h"

#include <torch/cuda.h>

#include <cstdint>

#include "gtest/gtest.h"

namespace cadre {
namespace {

std::vector<torch::Tensor> Columns(int64_t rows) {
  return {torch::randn({rows, 3}), torch::randint(100, {rows}, torch::kInt64),
          torch::randint(256, {rows, 5}, torch::kUInt8), torch::randn({rows})};
}

void ExpectSame(const std::vector<torch::Tensor>& got, const std::vector<torch::Tensor>& wanted) {
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(torch::equal(got[i].cpu(), wanted[i])) << i;
}

TEST(PackedTensorsTest, ViewsAreWhatWasPacked) {
  const std::vector<torch::Tensor> columns = Columns(7);
  const PackedTensors packed(columns);
  const torch::Tensor buffer = torch::zeros({packed.bytes() + 100}, torch::kUInt8);
  packed.Pack(columns, buffer);
  const std::vector<torch::Tensor> views = packed.Views(buffer);
  ExpectSame(views, columns);
  for (const torch::Tensor& view : views) {
    EXPECT_TRUE(view.is_contiguous());
    EXPECT_EQ((reinterpret_cast<uintptr_t>(view.data_ptr()) -
               reinterpret_cast<uintptr_t>(buffer.data_ptr())) %
                  256,
              0);
  }
}

TEST(StagingBuffersTest, OnTheCpuTensorsStayWhereTheyAre) {
  const auto staging = MakeStagingBuffers(torch::kCPU);
  const std::vector<torch::Tensor> columns = Columns(4);
  const std::vector<torch::Tensor> staged = staging->Stage(columns);
  for (size_t i = 0; i < columns.size(); ++i)
    EXPECT_EQ(staged[i].data_ptr(), columns[i].data_ptr());
}

TEST(StagingBuffersTest, BatchesOnTheDeviceAreThoseOfTheHost) {
  if (!torch::cuda::is_available()) GTEST_SKIP() << "skipped: no CUDA device";
  const auto staging = MakeStagingBuffers(torch::kCUDA);
  std::vector<torch::Tensor> last_staged, last;
  for (int i = 0; i < 50; ++i) {
    // Larger now and then, so that buffers grow while a copy is under way.
    const std::vector<torch::Tensor> columns = Columns(1000 + 300 * (i / 7));
    std::vector<torch::Tensor> overwritten;
    for (const torch::Tensor& column : columns) overwritten.push_back(column.clone());
    const std::vector<torch::Tensor> staged = staging->Stage(overwritten);
    for (torch::Tensor& column : overwritten) column.zero_();
    if (i > 0) ExpectSame(last_staged, last);  // Still the batch before, too.
    last_staged = staged;
    last = columns;
  }
  ExpectSame(last_staged, last);
}

}  // namespace
}  // namespace cadre
