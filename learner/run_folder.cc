#include "learner/run_folder.h"

#include <cerrno>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/config.h"
#include "common/file_io.h"
#include "common/status_macros.h"

namespace cadre {
namespace {

constexpr char kProgress[] = "progress.csv";
constexpr char kSummary[] = "summary.json";

std::string Join(absl::string_view folder, absl::string_view name) {
  return absl::StrCat(folder, "/", name);
}

// One plain name for a folder, whatever the experiment is called.
std::string FolderName(absl::string_view experiment) {
  std::string name(experiment);
  for (char& c : name) {
    if (!absl::ascii_isalnum(c) && c != '-' && c != '_' && c != '.') c = '_';
  }
  if (name.empty() || name[0] == '.') name.insert(0, "run");
  return name;
}

// Makes the first of <runs>/<name>-seed<seed>-<n> that is not there yet.
absl::StatusOr<std::string> ClaimFreeFolder(const ExperimentConfig& config,
                                            absl::string_view runs) {
  CADRE_RETURN_IF_ERROR(MakeDirectories(std::string(runs)));
  for (int n = 1;; ++n) {
    std::string path =
        Join(runs, absl::StrCat(FolderName(config.name()), "-seed", config.seed(), "-", n));
    std::error_code error;
    if (std::filesystem::create_directory(path, error)) return path;
    if (error && error != std::errc::file_exists) {
      return absl::ErrnoToStatus(error.value(), absl::StrCat("cannot make folder '", path, "'"));
    }
  }
}

EventWriter::Scalars ScalarsOf(const Progress& progress) {
  EventWriter::Scalars scalars = {
      {"training/mean_return", progress.mean_return},
      {"training/mean_length", progress.mean_length},
      {"training/episodes", static_cast<double>(progress.episodes)},
      {"training/updates", static_cast<double>(progress.updates)},
      {"system/steps_per_second", progress.steps_per_second},
      {"system/version_lag", static_cast<double>(progress.version_lag)},
      {"system/waiting_share", progress.waiting_share},
  };
  for (const auto& [name, value] : progress.diagnostics) {
    if (std::isnan(value)) continue;  // Not measured: no point in the chart.
    scalars.emplace_back(absl::StrCat("algorithm/", name), value);
  }
  return scalars;
}

nlohmann::ordered_json EvaluationJson(const Summary::Evaluation& evaluation) {
  nlohmann::ordered_json json = {{"mean_return", evaluation.mean_return},
                                 {"std_return", evaluation.std_return},
                                 {"episodes", evaluation.episodes},
                                 {"env_steps", evaluation.env_steps}};
  if (evaluation.first_mean_return) json["first_mean_return"] = *evaluation.first_mean_return;
  return json;
}

}  // namespace

std::string ConfigPath(absl::string_view run_folder) {
  return Join(run_folder, "config.textproto");
}

std::string SummaryJson(const Summary& summary) {
  nlohmann::ordered_json json = {
      {"algorithm", summary.algorithm},
      {"environment", summary.environment},
      {"seed", summary.seed},
      {"env_steps", summary.env_steps},
      {"updates", summary.updates},
      {"wall_seconds", summary.wall_seconds},
      {"steps_per_second", summary.steps_per_second},
      {"mean_return", summary.mean_return},
      {"solved", summary.solved},
      {"max_version_lag", summary.max_version_lag},
  };
  if (summary.evaluation) json["evaluation"] = EvaluationJson(*summary.evaluation);
  if (summary.last_evaluation) json["last_evaluation"] = EvaluationJson(*summary.last_evaluation);
  // JSON has no NaN: the library writes null.
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

RunFolder::RunFolder(std::string path, std::unique_ptr<ProgressCsv> csv,
                     std::unique_ptr<EventWriter> events)
    : path_(std::move(path)), csv_(std::move(csv)), events_(std::move(events)) {}

bool RunFolder::HoldsRun(absl::string_view path) {
  for (const std::string& mark :
       {ConfigPath(path), Join(path, kProgress), Join(path, kSummary), Join(path, "checkpoints")}) {
    std::error_code ignored;
    if (std::filesystem::exists(mark, ignored)) return true;
  }
  return false;
}

absl::Status RunFolder::Clear(absl::string_view path) {
  CADRE_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(std::string(path)));
  for (const std::string& name : names) {
    const bool ours = name == "config.textproto" || name == kProgress || name == kSummary ||
                      name == "checkpoints" || absl::StartsWith(name, "events.out.tfevents.");
    if (ours) CADRE_RETURN_IF_ERROR(RemoveTree(std::string(path), name));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<RunFolder>> RunFolder::Create(const ExperimentConfig& config,
                                                             absl::string_view out,
                                                             absl::string_view runs) {
  std::string path(out);
  if (path.empty()) {
    CADRE_ASSIGN_OR_RETURN(path, ClaimFreeFolder(config, runs));
  } else if (HoldsRun(path)) {
    return absl::AlreadyExistsError(absl::StrCat("run folder '", path,
                                                 "' already holds a run; resume it with --resume ",
                                                 path, " or choose another --out"));
  } else {
    CADRE_RETURN_IF_ERROR(MakeDirectories(path));
  }
  CADRE_RETURN_IF_ERROR(WriteFileAtomically(ConfigPath(path), ConfigText(config)));
  CADRE_ASSIGN_OR_RETURN(auto csv, ProgressCsv::Create(Join(path, kProgress)));
  CADRE_ASSIGN_OR_RETURN(auto events, EventWriter::Create(path, absl::Now()));
  return std::unique_ptr<RunFolder>(
      new RunFolder(std::move(path), std::move(csv), std::move(events)));
}

absl::StatusOr<std::unique_ptr<RunFolder>> RunFolder::Resume(const ExperimentConfig& config,
                                                             absl::string_view path,
                                                             int64_t env_steps) {
  if (!HoldsRun(path)) {
    return absl::NotFoundError(absl::StrCat("there is no run in folder '", path, "'"));
  }
  CADRE_RETURN_IF_ERROR(WriteFileAtomically(ConfigPath(path), ConfigText(config)));
  CADRE_ASSIGN_OR_RETURN(auto csv, ProgressCsv::Resume(Join(path, kProgress), env_steps));
  CADRE_ASSIGN_OR_RETURN(auto events, EventWriter::Create(path, absl::Now(), env_steps + 1));
  return std::unique_ptr<RunFolder>(
      new RunFolder(std::string(path), std::move(csv), std::move(events)));
}

absl::Status RunFolder::Report(const Progress& progress, absl::Time now) {
  CADRE_RETURN_IF_ERROR(csv_->Append(progress));
  return events_->Write(progress.env_steps, ScalarsOf(progress), now);
}

absl::Status RunFolder::WriteSummary(const Summary& summary) {
  return WriteFileAtomically(Join(path_, kSummary), SummaryJson(summary));
}

}  // namespace cadre
