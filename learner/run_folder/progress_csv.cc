#include "learner/run_folder/progress_csv.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "common/files/file_io.h"
#include "common/status_macros.h"

namespace cadre {
namespace {

constexpr char kFirstColumn[] = "env_steps";

// The shortest text that reads back as the same number.
std::string Number(double value) {
  if (std::isnan(value)) return "nan";
  char text[32];
  return std::string(text, std::to_chars(text, text + sizeof(text), value).ptr);
}

using Cells = std::vector<std::pair<std::string, std::string>>;  // Column and text.

Cells CellsOf(const Progress& progress) {
  Cells cells = {
      {kFirstColumn, absl::StrCat(progress.env_steps)},
      {"updates", absl::StrCat(progress.updates)},
      {"version", absl::StrCat(progress.version)},
      {"episodes", absl::StrCat(progress.episodes)},
      {"mean_return", Number(progress.mean_return)},
      {"mean_length", Number(progress.mean_length)},
      {"wall_seconds", Number(progress.wall_seconds)},
      {"steps_per_second", Number(progress.steps_per_second)},
      {"version_lag", absl::StrCat(progress.version_lag)},
      {"max_version_lag", absl::StrCat(progress.max_version_lag)},
      {"waiting_share", Number(progress.waiting_share)},
  };
  for (const auto& [name, value] : progress.diagnostics) cells.emplace_back(name, Number(value));
  return cells;
}

// The rows of `text`, header first, that are whole and not later than `env_steps`.
std::vector<absl::string_view> RowsToKeep(absl::string_view text, int64_t env_steps) {
  std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  lines.pop_back();  // Empty, or cut off before its end.
  std::vector<absl::string_view> kept;
  size_t columns = 0;
  for (absl::string_view line : lines) {
    const std::vector<absl::string_view> cells = absl::StrSplit(line, ',');
    int64_t steps = 0;
    if (kept.empty()) {
      columns = cells.size();
    } else if (cells.size() != columns || !absl::SimpleAtoi(cells[0], &steps) ||
               steps > env_steps) {
      continue;
    }
    kept.push_back(line);
  }
  return kept;
}

absl::Status CheckHeader(const std::string& path, absl::string_view header) {
  const absl::string_view first = header.substr(0, header.find(','));
  if (first == kFirstColumn) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("'", path, "': the first column is '", first, "'; wanted '", kFirstColumn, "'"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ProgressCsv>> ProgressCsv::Create(const std::string& path) {
  CADRE_RETURN_IF_ERROR(WriteFileAtomically(path, ""));
  CADRE_ASSIGN_OR_RETURN(auto file, AppendedFile::Open(path));
  return std::unique_ptr<ProgressCsv>(new ProgressCsv(std::move(file), {}));
}

absl::Status ProgressCsv::Check(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (absl::IsNotFound(text.status())) return absl::OkStatus();
  CADRE_RETURN_IF_ERROR(text.status());
  const std::vector<absl::string_view> rows = RowsToKeep(*text, /*env_steps=*/0);
  return rows.empty() ? absl::OkStatus() : CheckHeader(path, rows[0]);
}

absl::StatusOr<std::unique_ptr<ProgressCsv>> ProgressCsv::Resume(const std::string& path,
                                                                 int64_t env_steps) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (absl::IsNotFound(text.status())) return Create(path);
  if (!text.ok()) return text.status();
  const std::vector<absl::string_view> rows = RowsToKeep(*text, env_steps);
  if (rows.empty()) return Create(path);
  CADRE_RETURN_IF_ERROR(CheckHeader(path, rows[0]));
  std::vector<std::string> columns = absl::StrSplit(rows[0], ',');
  CADRE_RETURN_IF_ERROR(WriteFileAtomically(path, absl::StrCat(absl::StrJoin(rows, "\n"), "\n")));
  CADRE_ASSIGN_OR_RETURN(auto file, AppendedFile::Open(path));
  return std::unique_ptr<ProgressCsv>(new ProgressCsv(std::move(file), std::move(columns)));
}

absl::Status ProgressCsv::AddColumns(const std::vector<std::string>& columns) {
  std::vector<std::string> all = columns_;
  for (const std::string& column : columns)
    if (std::find(all.begin(), all.end(), column) == all.end()) all.push_back(column);
  if (all.size() == columns_.size()) return absl::OkStatus();
  const std::string path = file_->path();
  CADRE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  std::vector<std::string> lines = absl::StrSplit(text, '\n', absl::SkipEmpty());
  if (lines.empty()) lines.emplace_back();
  lines[0] = absl::StrJoin(all, ",");
  for (size_t i = 1; i < lines.size(); ++i)
    for (size_t column = columns_.size(); column < all.size(); ++column) lines[i] += ",nan";
  CADRE_RETURN_IF_ERROR(WriteFileAtomically(path, absl::StrCat(absl::StrJoin(lines, "\n"), "\n")));
  CADRE_ASSIGN_OR_RETURN(file_, AppendedFile::Open(path));
  columns_ = std::move(all);
  return absl::OkStatus();
}

absl::Status ProgressCsv::Append(const Progress& progress) {
  const Cells cells = CellsOf(progress);
  if (!reported_) {
    std::vector<std::string> columns;
    for (const auto& [column, text] : cells) columns.push_back(column);
    CADRE_RETURN_IF_ERROR(AddColumns(columns));
    reported_ = true;
  }
  const std::map<std::string, std::string> by_column(cells.begin(), cells.end());
  std::vector<std::string> row;
  for (const std::string& column : columns_) {
    const auto cell = by_column.find(column);
    row.push_back(cell == by_column.end() ? "nan" : cell->second);
  }
  return file_->Append(absl::StrCat(absl::StrJoin(row, ","), "\n"));
}

}  // namespace cadre
