// What a recording does, on the device of CADRE_TEST_DEVICE.
#include "learner/algorithms/device/device_graph.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/learner/algorithms/test_device.h"

namespace cadre {
namespace {

TEST(DeviceGraphTest, DoesTheWorkOnceEachTimeRecordedOrNot) {
  const DeviceOptions options = TestDevice();
  const auto graph = MakeDeviceGraph(options);
  const torch::Tensor sum = torch::zeros({3}, options.device);
  for (int i = 1; i <= 10; ++i) {
    graph->Run([&] { sum.add_(1); });
    EXPECT_EQ(sum.sum().item<float>(), 3 * i);
    if (i == 6) graph->Forget();
  }
  EXPECT_EQ(graph->recorded(), options.device.is_cuda());
}

TEST(DeviceGraphTest, ARecordingThatFailsIsUndone) {
  DeviceOptions options = TestDevice();
  if (!options.device.is_cuda()) GTEST_SKIP() << "skipped: graphs are CUDA's";
  std::vector<std::string> reasons;
  options.on_fallback = [&](absl::string_view reason) { reasons.emplace_back(reason); };
  const auto broken = MakeDeviceGraph(options);
  const torch::Tensor sum = torch::zeros({3}, options.device);
  const auto wait_within = [&] {
    sum.add_(1);
    static_cast<void>(sum.sum().item<float>());  // Forbidden in a recording.
  };
  for (int i = 1; i <= 6; ++i) {
    broken->Run(wait_within);
    EXPECT_EQ(sum.sum().item<float>(), 3 * i);
  }
  EXPECT_FALSE(broken->recorded());
  EXPECT_THAT(reasons, testing::ElementsAre(testing::HasSubstr("no CUDA graph: ")));

  const auto sound = MakeDeviceGraph(options);
  for (int i = 7; i <= 12; ++i) {
    sound->Run([&] { sum.add_(torch::ones({3}, options.device)); });  // Memory of its own.
    EXPECT_EQ(sum.sum().item<float>(), 3 * i);
  }
  EXPECT_TRUE(sound->recorded());
  EXPECT_EQ(reasons.size(), 1);
  EXPECT_NO_THROW(torch::randn({8}, options.device));  // The device's generator is not at work.
}

TEST(DeviceGraphTest, MoreAtOnceThanLibTorchHasStreams) {
  const DeviceOptions options = TestDevice();
  std::vector<std::unique_ptr<DeviceGraph>> graphs;
  const torch::Tensor sum = torch::zeros({1}, options.device);
  for (int i = 0; i < 40; ++i) graphs.push_back(MakeDeviceGraph(options));
  for (int i = 0; i < 5; ++i)
    for (const auto& graph : graphs) graph->Run([&] { sum.add_(1); });
  EXPECT_EQ(sum.item<float>(), 200);
}

}  // namespace
}  // namespace cadre
