#include "learner/run_folder/run_folder.h"

#include <algorithm>
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
#include "absl/strings/str_replace.h"
#include "common/check.h"
#include "common/config/config.h"
#include "common/files/file_io.h"
#include "common/status_macros.h"
#include "learner/run_folder/checkpoint.h"

namespace cadre {
namespace {

constexpr char kConfig[] = "config.textproto";
constexpr char kResolved[] = "resolved.textproto";
constexpr char kProgress[] = "progress.csv";
constexpr char kSummary[] = "summary.json";
constexpr char kRunLock[] = "run.lock";
constexpr char kWriterLock[] = "writer.lock";

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

std::string ResumeCommand(absl::string_view run_folder, absl::string_view which) {
  const bool plain = std::all_of(run_folder.begin(), run_folder.end(), [](char c) {
    return absl::ascii_isalnum(c) || absl::StrContains("/._-+=,@%", c);
  });
  std::string command = absl::StrCat(
      "cadre train --resume ",
      plain ? std::string(run_folder)
            : absl::StrCat("'", absl::StrReplaceAll(run_folder, {{"'", "'\\''"}}), "'"));
  if (!which.empty()) absl::StrAppend(&command, " --checkpoint ", which);
  return command;
}

std::string ConfigPath(absl::string_view run_folder) { return Join(run_folder, kConfig); }

std::string ResolvedConfigPath(absl::string_view run_folder) { return Join(run_folder, kResolved); }

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
    const bool ours = name == kConfig || name == kResolved || name == kProgress ||
                      name == kSummary || name == "checkpoints" ||
                      absl::StartsWith(name, "events.out.tfevents.");
    if (ours) CADRE_RETURN_IF_ERROR(RemoveTree(std::string(path), name));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<RunFolder>> RunFolder::Create(const ExperimentConfig& config,
                                                             absl::string_view out,
                                                             absl::string_view runs,
                                                             bool replace_unsaved) {
  std::string path(out);
  std::error_code ignored;
  const bool made = path.empty() || !std::filesystem::exists(path, ignored);
  if (path.empty()) {
    CADRE_ASSIGN_OR_RETURN(path, ClaimFreeFolder(config, runs));
  } else {
    CADRE_RETURN_IF_ERROR(MakeDirectories(path));
  }
  std::unique_ptr<RunFolder> folder(new RunFolder(path, made));
  CADRE_RETURN_IF_ERROR(folder->Lock());
  if (!HoldsRun(path)) return folder;
  folder->replaces_ = replace_unsaved && !FindCheckpoint(path, "last").ok();
  if (folder->replaces_) return folder;
  return absl::AlreadyExistsError(absl::StrCat("run folder '", path,
                                               "' already holds a run; resume it with --resume ",
                                               path, " or choose another --out"));
}

absl::StatusOr<std::unique_ptr<RunFolder>> RunFolder::Resume(absl::string_view path) {
  if (!HoldsRun(path)) {
    return absl::NotFoundError(absl::StrCat("there is no run in folder '", path, "'"));
  }
  std::unique_ptr<RunFolder> folder(new RunFolder(std::string(path), /*made=*/false));
  CADRE_RETURN_IF_ERROR(folder->Lock());
  CADRE_RETURN_IF_ERROR(ProgressCsv::Check(Join(path, kProgress)));
  return folder;
}

absl::Status RunFolder::Lock() {
  absl::StatusOr<std::unique_ptr<RunLock>> run = RunLock::Acquire(path_, kRunLock);
  if (run.ok()) {
    run_lock_ = *std::move(run);
  } else if (!absl::IsFailedPrecondition(run.status()) || !ParentHolds(path_, kRunLock)) {
    return run.status();
  }
  CADRE_ASSIGN_OR_RETURN(writer_lock_, RunLock::Acquire(path_, kWriterLock));
  return absl::OkStatus();
}

RunFolder::~RunFolder() {
  writer_lock_.reset();
  run_lock_.reset();
  std::error_code ignored;  // Not empty, for instance: then it stays.
  if (made_ && !begun_) std::filesystem::remove(path_, ignored);
}

absl::Status RunFolder::Begin(const ExperimentConfig& given, const ExperimentConfig& resolved,
                              std::optional<int64_t> env_steps) {
  CADRE_CHECK(!begun_);
  begun_ = true;
  if (run_lock_ != nullptr) CADRE_RETURN_IF_ERROR(run_lock_->Announce());
  CADRE_RETURN_IF_ERROR(writer_lock_->Announce());
  if (replaces_) CADRE_RETURN_IF_ERROR(Clear(path_));
  // In this order: what is there without resolved.textproto is taken for a resolved config,
  // and what was given reads the same as one.
  CADRE_RETURN_IF_ERROR(WriteFileAtomically(ConfigPath(path_), ConfigText(given)));
  CADRE_RETURN_IF_ERROR(WriteFileAtomically(ResolvedConfigPath(path_), ConfigText(resolved)));
  const std::string csv = Join(path_, kProgress);
  CADRE_ASSIGN_OR_RETURN(
      csv_, env_steps ? ProgressCsv::Resume(csv, *env_steps) : ProgressCsv::Create(csv));
  std::optional<int64_t> void_from;
  if (env_steps) void_from = *env_steps + 1;
  CADRE_ASSIGN_OR_RETURN(events_, EventWriter::Create(path_, absl::Now(), void_from));
  return absl::OkStatus();
}

absl::Status RunFolder::Report(const Progress& progress, absl::Time now) {
  CADRE_RETURN_IF_ERROR(csv_->Append(progress));
  return events_->Write(progress.env_steps, ScalarsOf(progress), now);
}

absl::Status RunFolder::WriteSummary(const Summary& summary) {
  return WriteFileAtomically(Join(path_, kSummary), SummaryJson(summary));
}

}  // namespace cadre
