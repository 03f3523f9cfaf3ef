// progress.csv: a header and one row for each report, the fields of Progress and
// then the diagnostics. The first report fixes the columns: later ones leave out
// what has no column and write `nan` where they have no number for one. Numbers
// are written so that they read back exactly.
//
// Not thread-safe: one thread writes. Readers may come at any time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "learner/appended_file.h"
#include "learner/progress.h"

namespace cadre {

class ProgressCsv {
 public:
  // A new file; one that is there is replaced.
  static absl::StatusOr<std::unique_ptr<ProgressCsv>> Create(const std::string& path);

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

  const std::unique_ptr<AppendedFile> file_;
  std::vector<std::string> columns_;  // Empty before the first row.
};

}  // namespace cadre
