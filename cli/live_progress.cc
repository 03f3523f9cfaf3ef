#include "cli/live_progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace cadre {
namespace {

constexpr int kDefaultWidth = 80;
constexpr int kMinBarWidth = 10;
constexpr int kMaxBarWidth = 40;
constexpr char kGap[] = "   ";

double Share(const Progress& progress, const ProgressGoal& goal) {
  return std::clamp(static_cast<double>(progress.env_steps) / goal.env_steps, 0.0, 1.0);
}

// Rounded down: 100 only at the end.
int Percent(double share) { return static_cast<int>(std::floor(share * 100)); }

// "[=====>    ]", `width` columns in all.
std::string Bar(double share, int width) {
  const int inside = width - 2;
  const int filled = static_cast<int>(std::floor(share * inside));
  std::string bar(inside, ' ');
  std::fill_n(bar.begin(), filled, '=');
  if (filled < inside) bar[filled] = '>';
  return absl::StrCat("[", bar, "]");
}

std::string BarLine(const Progress& progress, const ProgressGoal& goal, absl::Duration elapsed,
                    int width) {
  const double share = Share(progress, goal);
  const std::string before = absl::StrCat(goal.name, "  ");
  const std::string after =
      absl::StrFormat(" %3d %%  %s, %s left", Percent(share), FormatClock(elapsed),
                      FormatClock(TimeLeft(progress, goal)));
  const int room = width - static_cast<int>(before.size() + after.size());
  return absl::StrCat(before, Bar(share, std::clamp(room, kMinBarWidth, kMaxBarWidth)), after);
}

std::string ReturnText(const Progress& progress, const ProgressGoal& goal) {
  return goal.mean_return ? absl::StrCat(FormatNumber(progress.mean_return), " of ",
                                         FormatNumber(*goal.mean_return))
                          : FormatNumber(progress.mean_return);
}

// Items that have room, in lines of their own beside one another.
std::vector<std::string> Flow(const std::vector<std::string>& items, size_t width) {
  std::vector<std::string> lines;
  for (const std::string& item : items) {
    if (!lines.empty() && lines.back().size() + sizeof(kGap) - 1 + item.size() <= width) {
      absl::StrAppend(&lines.back(), kGap, item);
    } else {
      lines.push_back(item);
    }
  }
  return lines;
}

int TerminalWidth(std::FILE* file) {
  winsize size{};
  if (ioctl(fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  int columns;
  const char* variable = std::getenv("COLUMNS");
  return variable && absl::SimpleAtoi(variable, &columns) && columns > 0 ? columns : kDefaultWidth;
}

bool IsSet(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

}  // namespace

std::string FormatCount(int64_t count) {
  std::string text = absl::StrCat(count);
  const int digits_begin = count < 0 ? 1 : 0;
  for (int i = static_cast<int>(text.size()) - 3; i > digits_begin; i -= 3) text.insert(i, 1, ',');
  return text;
}

std::string FormatClock(absl::Duration duration) {
  if (duration == absl::InfiniteDuration() || duration < absl::ZeroDuration()) return "-";
  const int64_t seconds = absl::ToInt64Seconds(duration);
  if (seconds < 3600) return absl::StrFormat("%d:%02d", seconds / 60, seconds % 60);
  return absl::StrFormat("%d:%02d:%02d", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

std::string FormatNumber(double value) {
  return std::isnan(value) ? "-" : absl::StrFormat("%#.4g", value);
}

absl::Duration TimeLeft(const Progress& progress, const ProgressGoal& goal) {
  if (progress.env_steps <= 0) return absl::InfiniteDuration();
  const int64_t steps_left = std::max<int64_t>(0, goal.env_steps - progress.env_steps);
  return absl::Seconds(progress.wall_seconds / progress.env_steps * steps_left);
}

std::vector<std::string> FormatBlock(const Progress& progress, const ProgressGoal& goal,
                                     absl::Duration elapsed, int width) {
  std::vector<std::string> lines = {BarLine(progress, goal, elapsed, width)};
  auto append = [&](const std::vector<std::string>& items) {
    for (std::string& line : Flow(items, width)) lines.push_back(std::move(line));
  };
  append({absl::StrCat("return ", ReturnText(progress, goal), " (last 100 episodes)"),
          absl::StrCat("length ", FormatNumber(progress.mean_length)),
          absl::StrCat("episodes ", FormatCount(progress.episodes))});
  append(
      {absl::StrCat("steps ", FormatCount(progress.env_steps), " of ", FormatCount(goal.env_steps)),
       absl::StrCat(FormatCount(std::llround(progress.steps_per_second)), " steps/s"),
       absl::StrCat("version ", FormatCount(progress.version), ", lag ", progress.version_lag,
                    " (most ", progress.max_version_lag, ")")});
  const int waiting = static_cast<int>(std::lround(100 * progress.waiting_share));
  append(
      {absl::StrFormat("waiting for: experience %d %% / learning %d %%", waiting, 100 - waiting)});
  std::vector<std::string> diagnostics;
  for (const auto& [name, value] : progress.diagnostics) {
    diagnostics.push_back(absl::StrCat(name, " ", FormatNumber(value)));
  }
  append(diagnostics);
  for (std::string& line : lines) {
    if (line.size() > static_cast<size_t>(width)) line.resize(width);
  }
  return lines;
}

std::string FormatLine(const Progress& progress, const ProgressGoal& goal, absl::Duration elapsed) {
  return absl::StrFormat(
      "%s: %d %%, steps %d of %d, return %s, episodes %d, updates %d, %d steps/s, lag %d, "
      "waiting %d %%, %s, %s left",
      goal.name, Percent(Share(progress, goal)), progress.env_steps, goal.env_steps,
      ReturnText(progress, goal), progress.episodes, progress.updates,
      std::llround(progress.steps_per_second), progress.version_lag,
      std::lround(100 * progress.waiting_share), FormatClock(elapsed),
      FormatClock(TimeLeft(progress, goal)));
}

LiveProgress::Options LiveProgress::OptionsFor(std::FILE* file) {
  Options options;
  const char* term = std::getenv("TERM");
  options.terminal = isatty(fileno(file)) && term != nullptr && absl::string_view(term) != "dumb";
  options.color = options.terminal && !IsSet("NO_COLOR");
  return options;
}

LiveProgress::LiveProgress(ProgressGoal goal, Options options, std::FILE* file, MonotonicTime start)
    : goal_(std::move(goal)), options_(options), file_(file), start_(start) {}

void LiveProgress::Update(const Progress& progress, MonotonicTime now) {
  absl::MutexLock lock(&mutex_);
  const absl::Duration interval =
      options_.terminal ? options_.redraw_interval : options_.line_interval;
  if (now - last_shown_ < interval) {
    held_back_ = progress;
    return;
  }
  Show(progress, now);
}

void LiveProgress::SetVerdict(std::string verdict) {
  absl::MutexLock lock(&mutex_);
  verdict_ = std::move(verdict);
}

void LiveProgress::Print(absl::string_view line) {
  absl::MutexLock lock(&mutex_);
  if (options_.terminal) {
    Redraw(line, std::vector<std::string>(block_));
  } else {
    Write(absl::StrCat(line, "\n"));
  }
}

void LiveProgress::Finish(MonotonicTime now) {
  absl::MutexLock lock(&mutex_);
  if (held_back_) Show(Progress(*held_back_), now);
  block_.clear();
}

void LiveProgress::Show(const Progress& progress, MonotonicTime now) {
  const absl::Duration elapsed = now - start_;
  if (options_.terminal) {
    const int width = options_.width > 0 ? options_.width : TerminalWidth(file_);
    std::vector<std::string> block = FormatBlock(progress, goal_, elapsed, width);
    if (!verdict_.empty())
      block.push_back(absl::StrCat("verdict: ", verdict_).substr(0, static_cast<size_t>(width)));
    Redraw("", std::move(block));
  } else {
    // Without its evidence, which is in parentheses.
    const std::string verdict =
        verdict_.empty() ? "" : absl::StrCat(", ", verdict_.substr(0, verdict_.find(" (")));
    Write(absl::StrCat(FormatLine(progress, goal_, elapsed), verdict, "\n"));
  }
  last_shown_ = now;
  held_back_.reset();
}

void LiveProgress::Redraw(absl::string_view line_above, std::vector<std::string> block) {
  std::string text;
  if (!block_.empty()) absl::StrAppendFormat(&text, "\x1b[%dA", block_.size());
  if (!line_above.empty()) absl::StrAppend(&text, line_above, "\x1b[K\n");
  for (size_t i = 0; i < block.size(); ++i) {
    const bool bright = options_.color && i == 0;
    absl::StrAppend(&text, bright ? "\x1b[1;36m" : "", block[i], bright ? "\x1b[0m" : "",
                    "\x1b[K\n");
  }
  absl::StrAppend(&text, "\x1b[J");  // What a longer block left below.
  Write(text);
  block_ = std::move(block);
}

void LiveProgress::Write(absl::string_view text) {
  std::fwrite(text.data(), 1, text.size(), file_);
  std::fflush(file_);
}

}  // namespace cadre
