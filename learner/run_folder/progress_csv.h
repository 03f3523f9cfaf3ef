// progress.csv: a header and one row for each report, the fields of Progress and
// then the diagnostics, which are the same in every report: the algorithm's
// diagnostic_names(), `nan` without a number. A file that is resumed, and lacks
// columns of the first report after that, gets them, with `nan` in its rows so far.
// Numbers are written so that they read back exactly.
//
// Not thread-safe: one thread writes. Readers may come at any time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "learner/run_folder/appended_file.h"
#include "learner/run_folder/progress.h"

namespace cadre {

class ProgressCsv {
 public:
  // A new file; one that is there is replaced.
  static absl::StatusOr<std::unique_ptr<ProgressCsv>> Create(const std::string& path);

  // DATA_LOSS where Resume would find no file of ours. Writes nothing.
  static absl::Status Check(const std::string& path);

  // Goes on with a file, or starts it where there is none. Rows later than
  // `env_steps`, and what a crash left half written, are dropped first.
  // DATA_LOSS where it is no file of ours.
  static absl::StatusOr<std::unique_ptr<ProgressCsv>> Resume(const std::string& path,
                                                             int64_t env_steps);

  // Writes one row and hands it to the operating system.
  absl::Status Append(const Progress& progress);

 private:
  ProgressCsv(std::unique_ptr<AppendedFile> file, std::vector<std::string> columns)
      : file_(std::move(file)), columns_(std::move(columns)) {}

  // Makes the file's header end with the ones of `columns` that it lacks.
  absl::Status AddColumns(const std::vector<std::string>& columns);

  std::unique_ptr<AppendedFile> file_;
  std::vector<std::string> columns_;  // The file's; empty until its header is written.
  bool reported_ = false;             // columns_ are those of the reports.
};

}  // namespace cadre
