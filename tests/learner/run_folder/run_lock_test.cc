#include "learner/run_folder/run_lock.h"

#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/learner/temp_folder.h"

namespace {

std::function<void()> before_flock;  // Runs once.

}  // namespace

// For the whole test, the lock itself included.
extern "C" int flock(int fd, int operation) noexcept {
  if (const auto run = std::exchange(before_flock, nullptr)) run();
  return static_cast<int>(syscall(SYS_flock, fd, operation));
}

namespace cadre {
namespace {

using testing::HasSubstr;

absl::Status TryLock(const std::string& folder) {
  return RunLock::Acquire(folder, "lock").status();
}

TEST(RunLockTest, IsHeldUntilItGoes) {
  TempFolder temp;
  {
    auto lock = RunLock::Acquire(temp.path(), "lock");
    ASSERT_TRUE(lock.ok()) << lock.status();
    ASSERT_EQ((*lock)->Announce(), absl::OkStatus());
    const absl::Status refused = TryLock(temp.path());
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(refused.message()),
                HasSubstr(absl::StrCat("run folder '", temp.path(), "' is in use by process ",
                                       getpid(), " on ")));
    EXPECT_THAT(std::string(refused.message()), HasSubstr("run_folder_test"));  // Its command.
    EXPECT_EQ(RunLock::Acquire(temp.path(), "another").status(), absl::OkStatus());
  }
  EXPECT_TRUE(std::filesystem::is_empty(temp.path()));
  EXPECT_EQ(TryLock(temp.path()), absl::OkStatus());
}

// Whoever has it removes the file as it goes, which another may just have opened.
TEST(RunLockTest, AFileThatWasRemovedBeforeItWasLockedIsNotTheLock) {
  TempFolder temp;
  auto former = RunLock::Acquire(temp.path(), "lock");
  ASSERT_TRUE(former.ok()) << former.status();
  before_flock = [&] { former->reset(); };
  const auto lock = RunLock::Acquire(temp.path(), "lock");
  ASSERT_TRUE(lock.ok()) << lock.status();
  EXPECT_EQ(former->get(), nullptr) << "it went meanwhile";
  EXPECT_EQ(TryLock(temp.path()).code(), absl::StatusCode::kFailedPrecondition);
}

TEST(RunLockTest, AKilledProcessHoldsNothing) {
  TempFolder temp;
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    auto lock = RunLock::Acquire(temp.path(), "lock");
    const bool announced = lock.ok() && (*lock)->Announce().ok();
    if (write(ready[1], announced ? "y" : "n", 1) != 1) _exit(1);
    while (true) pause();
  }
  char answer = 0;
  ASSERT_EQ(read(ready[0], &answer, 1), 1);
  ASSERT_EQ(answer, 'y');
  EXPECT_THAT(std::string(TryLock(temp.path()).message()),
              HasSubstr(absl::StrCat("in use by process ", child)));
  kill(child, SIGKILL);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  const std::string left = Slurp(temp / "lock");
  {
    auto lock = RunLock::Acquire(temp.path(), "lock");
    ASSERT_TRUE(lock.ok()) << lock.status();
    EXPECT_EQ(Slurp(temp / "lock"), left) << "nothing is written before it begins";
    // The former holder is not named for the present one.
    EXPECT_THAT(std::string(TryLock(temp.path()).message()), HasSubstr("which has just started"));
  }
  EXPECT_EQ(Slurp(temp / "lock"), left);
}

TEST(RunLockTest, AChildKnowsThatItsParentHoldsIt) {
  TempFolder temp;
  auto lock = RunLock::Acquire(temp.path(), "lock");
  ASSERT_TRUE(lock.ok() && (*lock)->Announce().ok());
  EXPECT_FALSE(ParentHolds(temp.path(), "lock"));
  const pid_t child = fork();
  if (child == 0) _exit(ParentHolds(temp.path(), "lock") ? 0 : 1);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(RunLockTest, AFolderThatIsNotThereIsAnError) {
  EXPECT_EQ(TryLock("/no/such/folder").code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace cadre
