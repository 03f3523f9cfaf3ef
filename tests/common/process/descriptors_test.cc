#include "common/process/descriptors.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

using ::testing::HasSubstr;

// The limit of this process is as it was once the test is over.
class DescriptorsTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before_), 0); }
  void TearDown() override {
    for (const int fd : open_) close(fd);
    setrlimit(RLIMIT_NOFILE, &before_);
  }
  void SetSoftLimit(rlim_t soft) const {
    const rlimit limit = {.rlim_cur = soft, .rlim_max = before_.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  }
  // -1 where the limit is reached.
  int Open() {
    const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) open_.push_back(fd);
    return fd;
  }

  rlimit before_ = {};
  std::vector<int> open_;
};

TEST_F(DescriptorsTest, TheSoftLimitBecomesTheHardOne) {
  SetSoftLimit(40);
  RaiseDescriptorLimit();
  rlimit limit = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(limit.rlim_cur, before_.rlim_max);
}

TEST_F(DescriptorsTest, TheReserveIsPartOfTheLimit) {
  for (const int soft : {16, 40, 512, 1024}) {
    SetSoftLimit(soft);
    const DescriptorLimits limits = CurrentDescriptorLimits();
    EXPECT_EQ(limits.limit, soft);
    EXPECT_GE(limits.reserve, 8);
    EXPECT_LE(limits.reserve, 64);
    EXPECT_LT(limits.reserve, soft);
  }
}

TEST_F(DescriptorsTest, TheReserveIsNotForConnectionsAndEndsWhenOthersClose) {
  SetSoftLimit(64);
  const int first_reserved = CurrentDescriptorLimits().first_reserved();
  EXPECT_EQ(CheckDescriptors(), absl::OkStatus());
  while (Open() < first_reserved - 1) {
  }
  EXPECT_EQ(CheckDescriptors().code(), absl::StatusCode::kResourceExhausted);
  while (Open() >= 0) {
  }
  EXPECT_THAT(CheckDescriptors().message(), HasSubstr("out of file descriptors: the limit is 64"));
  for (const int fd : open_) close(fd);
  open_.clear();
  EXPECT_EQ(CheckDescriptors(), absl::OkStatus());
}

}  // namespace
}  // namespace cadre
