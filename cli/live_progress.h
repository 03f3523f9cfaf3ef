// What `cadre train` shows while it runs. On a terminal, a few lines that are
// redrawn in place; elsewhere, one line every few seconds. The formatting is pure;
// the class only decides when to write.
#pragma once

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/process/monotonic_time.h"
#include "learner/run_folder/progress.h"

namespace cadre {

// What stays the same during a run.
struct ProgressGoal {
  std::string name;                   // Of the experiment.
  int64_t env_steps = 0;              // The run stops here. >= 1.
  std::optional<double> mean_return;  // Or once it reaches this.
};

// "1,234,567".
std::string FormatCount(int64_t count);
// "0:07", "12:34", "1:02:03"; "-" where it is not finite.
std::string FormatClock(absl::Duration duration);
// Four significant digits, "0.01234", "475.0", "1.500e+09"; "-" for NaN.
std::string FormatNumber(double value);

// Until `goal.env_steps` at the average speed of the run; infinite before the first step.
absl::Duration TimeLeft(const Progress& progress, const ProgressGoal& goal);

// The block's lines, none longer than `width` columns. Plain ASCII. `elapsed` is
// the time since this process began.
std::vector<std::string> FormatBlock(const Progress& progress, const ProgressGoal& goal,
                                     absl::Duration elapsed, int width);

// The same in one line, for logs.
std::string FormatLine(const Progress& progress, const ProgressGoal& goal, absl::Duration elapsed);

// Any thread may call.
class LiveProgress {
 public:
  struct Options {
    bool terminal = false;  // Redraw in place, instead of one line after the other.
    bool color = false;
    int width = 0;  // Columns. 0: as wide as the terminal is when it draws.
    absl::Duration redraw_interval = absl::Milliseconds(100);  // On a terminal.
    absl::Duration line_interval = absl::Seconds(5);           // Elsewhere.
  };
  // A terminal where `file` is one that can move its cursor (TERM is not "dumb");
  // colours where NO_COLOR is not set either (https://no-color.org).
  static Options OptionsFor(std::FILE* file);

  // `file` must outlive this. `start` is when the process began.
  LiveProgress(ProgressGoal goal, Options options, std::FILE* file, MonotonicTime start);

  // Shows the newest progress, unless it showed one a moment ago.
  void Update(const Progress& progress, MonotonicTime now) ABSL_LOCKS_EXCLUDED(mutex_);

  // What holds the run back, from now on shown with the progress; empty: nothing known.
  void SetVerdict(std::string verdict) ABSL_LOCKS_EXCLUDED(mutex_);

  // Prints a line of text above the block.
  void Print(absl::string_view line) ABSL_LOCKS_EXCLUDED(mutex_);

  // Shows what Update held back, and leaves the cursor below. Update may go on after it.
  void Finish(MonotonicTime now) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Show(const Progress& progress, MonotonicTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // In one write, so that the terminal never shows half a block.
  void Redraw(absl::string_view line_above, std::vector<std::string> block)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Write(absl::string_view text);

  const ProgressGoal goal_;
  const Options options_;
  std::FILE* const file_;
  const MonotonicTime start_;

  absl::Mutex mutex_;
  MonotonicTime last_shown_ ABSL_GUARDED_BY(mutex_);  // Long ago at first.
  std::optional<Progress> held_back_ ABSL_GUARDED_BY(mutex_);
  std::string verdict_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> block_ ABSL_GUARDED_BY(mutex_);  // As it stands on the terminal.
};

}  // namespace cadre
