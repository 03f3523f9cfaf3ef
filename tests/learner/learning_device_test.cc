#include "learner/learning_device.h"

#include "gtest/gtest.h"

namespace cadre {
namespace {

torch::Device Cuda(int index) {
  return torch::Device(torch::kCUDA, static_cast<c10::DeviceIndex>(index));
}

TEST(LearningDeviceTest, LearnersWithoutAnIndexGoRoundTheDevices) {
  for (int rank = 0; rank < 5; ++rank) {
    EXPECT_EQ(ChooseLearningDevice("cuda", rank, 2).value(), Cuda(rank % 2));
    EXPECT_EQ(ChooseLearningDevice("cuda", rank, 8).value(), Cuda(rank));
  }
}

TEST(LearningDeviceTest, AnIndexIsForEveryLearner) {
  for (int rank = 0; rank < 3; ++rank)
    EXPECT_EQ(ChooseLearningDevice("cuda:1", rank, 2).value(), Cuda(1));
}

TEST(LearningDeviceTest, TheCpuIsForEveryLearner) {
  EXPECT_EQ(ChooseLearningDevice("cpu", 3, 0).value(), torch::Device(torch::kCPU));
}

TEST(LearningDeviceTest, ADeviceThatIsNotThereIsRefused) {
  EXPECT_EQ(ChooseLearningDevice("cuda:2", 0, 2).status(),
            absl::FailedPreconditionError(
                "--device: got 'cuda:2'; there are 2 CUDA devices here, from cuda:0"));
  EXPECT_EQ(ChooseLearningDevice("cuda", 1, 0).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(LearningDeviceTest, WhatNamesNoDeviceIsRefused) {
  for (const char* name : {"", "gpu", "cuda:", "cuda:-1", "cuda:x", "cuda1"})
    EXPECT_EQ(ChooseLearningDevice(name, 0, 2).status().code(), absl::StatusCode::kInvalidArgument)
        << name;
}

}  // namespace
}  // namespace cadre
