#include "common/process/stop_answer.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/files/file_io.h"
#include "common/process/monotonic_time.h"
#include "common/process/shutdown.h"
#include "gtest/gtest.h"

namespace cadre {
namespace {

// Waits for the first byte, and returns how many there are.
size_t Said(int pipe) {
  pollfd ready{pipe, POLLIN, 0};
  constexpr int kLong = 60'000;  // Milliseconds: a hang shall be red.
  if (poll(&ready, 1, kLong) != 1) return 0;
  char bytes[4096];
  const ssize_t got = read(pipe, bytes, sizeof(bytes));
  return got < 0 ? 0 : static_cast<size_t>(got);
}

bool Silent(int pipe) {
  pollfd ready{pipe, POLLIN, 0};
  return poll(&ready, 1, /*timeout=*/0) == 0;
}

void ExitUnless(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::_Exit(1);
}

// In a process of its own, as a process has one pipe for all of its life.
void BeStopped() {
  int pipe[2];
  ExitUnless(pipe2(pipe, O_CLOEXEC | O_NONBLOCK) == 0, "a pipe");
  setenv(kStopPipe, absl::StrCat(pipe[1]).c_str(), 1);
  const std::string file = absl::StrCat(testing::TempDir(), "/stop_answer.", getpid());
  const auto save = [&file] { ExitUnless(WriteFileAtomically(file, "text").ok(), "a file"); };
  save();
  ExitUnless(Silent(pipe[0]), "nothing is said where nobody has asked");

  ShutdownSignal shutdown;
  shutdown.Request();
  ExitUnless(Said(pipe[0]) == 1, "a stop is answered");
  const MonotonicTime begin = MonotonicTime::Now();
  save();
  ExitUnless(Said(pipe[0]) >= 1, "what is saved is told");
  for (int i = 0; i < 100'000; ++i) NoteSaved();
  const double seconds = absl::ToDoubleSeconds(MonotonicTime::Now() - begin);
  ExitUnless(Silent(pipe[0]) || static_cast<double>(Said(pipe[0])) <= 1 + 10 * seconds,
             "the pipe is not filled");
  std::filesystem::remove(file);
  std::_Exit(0);
}

TEST(StopAnswerTest, AStopIsAnsweredAndEachPieceThatIsSavedThenIsTold) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(BeStopped(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace cadre
