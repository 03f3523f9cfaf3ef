#include "envs/python/python_environments.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/status_macros.h"
#include "envs/batch_of.h"
#include "envs/checked_steps.h"
#include "envs/python/spec_json.h"
#include "nlohmann/json.hpp"

namespace cadre {
namespace {

// To import what an environment needs may take longer than to step it.
constexpr absl::Duration kLeastTimeToStart = absl::Seconds(60);

nlohmann::json ParseOrNull(const std::string& line) {
  return nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
}

// The error that a worker reports; OK where the line is none.
absl::Status ReportedError(const std::string& line) {
  if (line.empty() || line.front() != '{') return absl::OkStatus();
  const nlohmann::json json = ParseOrNull(line);
  if (!json.is_object() || !json.contains("error")) return absl::OkStatus();
  return absl::InvalidArgumentError(json["error"].is_string() ? json["error"].get<std::string>()
                                                              : json["error"].dump());
}

bool SameSpaces(const EnvironmentSpec& a, const EnvironmentSpec& b) {
  return Describe(a.observation) == Describe(b.observation) &&
         Describe(a.action) == Describe(b.action);
}

}  // namespace

PythonEnvironments::PythonEnvironments(PythonSource source, int64_t count)
    : source_(std::move(source)), count_(count) {
  // The first ones have one environment more where they cannot have equally many.
  const int64_t workers = std::min<int64_t>(source_.workers, count);
  for (int64_t w = 0, first = 0; w < workers; ++w) {
    const int64_t share = count / workers + (w < count % workers);
    Worker& worker = workers_.emplace_back();
    worker.first = first;
    worker.count = share;
    worker.rows.resize(count);
    std::fill_n(worker.rows.begin() + first, share, 1);
    first += share;
  }
}

PythonEnvironments::~PythonEnvironments() {
  if (memory_ >= 0) ::close(memory_);
}

absl::StatusOr<std::unique_ptr<PythonEnvironments>> PythonEnvironments::Create(PythonSource source,
                                                                               int64_t count) {
  CADRE_CHECK(count > 0 && source.workers > 0);
  auto environments = absl::WrapUnique(new PythonEnvironments(std::move(source), count));
  CADRE_RETURN_IF_ERROR(environments->StartAll());
  return environments;
}

absl::Status PythonEnvironments::StartAll() {
  CADRE_ASSIGN_OR_RETURN(memory_, OpenSharedMemory());
  for (Worker& worker : workers_) CADRE_RETURN_IF_ERROR(Begin(worker));
  for (Worker& worker : workers_) {
    CADRE_ASSIGN_OR_RETURN(EnvironmentSpec spec, ReadSpec(worker));
    if (block_ == nullptr) {
      CADRE_ASSIGN_OR_RETURN(block_, SharedBlock::Create(memory_, spec, count_));
      spec_ = std::move(spec);
    }
    CADRE_RETURN_IF_ERROR(ShareBlock(worker));
  }
  return absl::OkStatus();
}

absl::Status PythonEnvironments::Begin(Worker& worker) {
  CADRE_ASSIGN_OR_RETURN(worker.process, WorkerProcess::Start(memory_, &wake_));
  nlohmann::json request = nlohmann::json::parse(source_.request);
  request["protocol"] = kPythonProtocol;
  request["first"] = worker.first;
  request["count"] = worker.count;
  return worker.process->Send(request.dump());
}

absl::StatusOr<EnvironmentSpec> PythonEnvironments::ReadSpec(Worker& worker) {
  const auto prefixed = [this](const absl::Status& status) {
    return absl::Status(status.code(),
                        absl::StrCat("Python worker of '", source_.name, "': ", status.message()));
  };
  const MonotonicTime deadline =
      MonotonicTime::Now() + std::max(source_.timeout, kLeastTimeToStart);
  absl::StatusOr<std::string> line = worker.process->Receive(deadline);
  if (!line.ok()) return prefixed(line.status());
  if (const absl::Status error = ReportedError(*line); !error.ok()) return prefixed(error);
  const nlohmann::json json = ParseOrNull(*line);
  const bool whole = json.is_object() && json.contains("spec") && json.contains("protocol");
  if (!whole || json["protocol"] != kPythonProtocol)
    return prefixed(absl::InvalidArgumentError(
        absl::StrCat("it speaks version ", whole ? json["protocol"].dump() : "?",
                     " of the protocol of environment workers; wanted ", kPythonProtocol,
                     ", of the package 'cadre' that came with this binary")));
  absl::StatusOr<EnvironmentSpec> spec = SpecOfJson(json["spec"].dump());
  if (!spec.ok()) return prefixed(spec.status());
  spec->id = source_.name;
  if (block_ != nullptr && !SameSpaces(*spec, spec_))
    return prefixed(absl::InvalidArgumentError(
        absl::StrCat("the spaces differ from one worker to the next: got ",
                     Describe(spec->observation), " and ", Describe(spec->action), "; wanted ",
                     Describe(spec_.observation), " and ", Describe(spec_.action))));
  return spec;
}

absl::Status PythonEnvironments::ShareBlock(Worker& worker) {
  CADRE_RETURN_IF_ERROR(
      worker.process->Send(absl::StrCat(R"({"layout":)", LayoutJson(block_->layout()), "}")));
  return Expect(worker, MonotonicTime::Now() + source_.timeout);
}

absl::Status PythonEnvironments::Reset(uint64_t seed) {
  random_.clear();
  for (int64_t i = 0; i < count_; ++i) random_.push_back(Random::ForStream(seed, i));
  for (const Worker& worker : workers_) Seed(worker);
  CADRE_RETURN_IF_ERROR(Exchange("reset"));
  // No episode was running, so none was lost.
  std::fill_n(block_->skipped().begin(), count_, 0);
  return absl::OkStatus();
}

absl::Status PythonEnvironments::Step(absl::Span<const std::byte> actions) {
  CADRE_RETURN_IF_ERROR(CheckReady(actions));
  std::memcpy(block_->actions().data(), actions.data(), actions.size());
  return Exchange("step");
}

absl::Status PythonEnvironments::StepSome(absl::Span<const std::byte> actions,
                                          absl::Span<const uint8_t> stepped) {
  if (source_.vector) return VectorEnvironment::StepSome(actions, stepped);
  CADRE_RETURN_IF_ERROR(CheckReady(actions));
  CADRE_CHECK(static_cast<int64_t>(stepped.size()) == count_);
  std::memcpy(block_->actions().data(), actions.data(), actions.size());
  std::copy(stepped.begin(), stepped.end(), block_->stepped().begin());
  return Exchange("step_some");
}

absl::Status PythonEnvironments::Restart(absl::Span<const uint8_t> restarted) {
  if (random_.empty()) return absl::FailedPreconditionError("Restart before the first Reset");
  CADRE_CHECK(static_cast<int64_t>(restarted.size()) == count_);
  std::copy(restarted.begin(), restarted.end(), block_->stepped().begin());
  // Flags and rewards stay those of the last step, whose ends are counted already.
  return Exchange("restart");
}

absl::Status PythonEnvironments::CheckReady(absl::Span<const std::byte> actions) const {
  if (random_.empty()) return absl::FailedPreconditionError("Step before the first Reset");
  return CheckActions(spec_.action, count_, actions);
}

absl::Status PythonEnvironments::Exchange(absl::string_view line) {
  if (line != "restart") std::fill_n(block_->skipped().begin(), count_, 0);
  for (Worker& worker : workers_) worker.fault = worker.process->Send(line);
  const MonotonicTime deadline = MonotonicTime::Now() + source_.timeout;
  for (Worker& worker : workers_) {
    if (worker.fault.ok()) worker.fault = Expect(worker, deadline);
    if (absl::IsCancelled(worker.fault)) return worker.fault;
    if (worker.fault.ok()) worker.fault = CheckRows(worker);
    if (worker.fault.ok() && AnyEnded(worker)) worker.restarts_in_a_row = 0;
  }
  for (Worker& worker : workers_)
    if (!worker.fault.ok()) CADRE_RETURN_IF_ERROR(Replace(worker));
  return absl::OkStatus();
}

absl::Status PythonEnvironments::Expect(Worker& worker, MonotonicTime deadline) {
  absl::StatusOr<std::string> line = worker.process->Receive(deadline);
  if (absl::IsDeadlineExceeded(line.status()))
    return absl::DeadlineExceededError(
        absl::StrCat("it did not answer; wanted a step or a reset within ",
                     absl::FormatDuration(source_.timeout), ", gymnasium.timeout_seconds"));
  if (!line.ok()) return line.status();
  if (*line == "ok") return absl::OkStatus();
  const absl::Status error = ReportedError(*line);
  return error.ok() ? absl::InvalidArgumentError(absl::StrCat("it said '", *line, "'; wanted 'ok'"))
                    : error;
}

absl::Status PythonEnvironments::CheckRows(const Worker& worker) const {
  CADRE_RETURN_IF_ERROR(CheckStep(*this, worker.rows));
  if (!AnyEnded(worker)) return absl::OkStatus();
  std::vector<uint8_t> ended(count_, 0);
  for (int64_t i = worker.first; i < worker.first + worker.count; ++i)
    ended[i] = block_->terminated()[i] | block_->truncated()[i];
  return CheckShown(spec_, block_->final_observations(), ended);
}

bool PythonEnvironments::AnyEnded(const Worker& worker) const {
  for (int64_t i = worker.first; i < worker.first + worker.count; ++i)
    if (block_->terminated()[i] | block_->truncated()[i]) return true;
  return false;
}

absl::Status PythonEnvironments::Replace(Worker& worker) {
  const int64_t number = &worker - workers_.data();
  while (!worker.fault.ok()) {
    if (absl::IsCancelled(worker.fault)) return worker.fault;
    const std::string line = absl::StrCat("Python worker ", number, " of '", source_.name,
                                          "' broke: ", worker.fault.message());
    if (worker.restarts_in_a_row >= source_.max_restarts)
      return absl::InternalError(
          absl::StrCat(line, "; it was replaced ", worker.restarts_in_a_row,
                       " times in a row, gymnasium.max_restarts permits no more"));
    ++worker.restarts_in_a_row;
    faults_.push_back(line);
    worker.fault = StartAnew(worker);
  }
  for (int64_t i = worker.first; i < worker.first + worker.count; ++i) {
    block_->rewards()[i] = 0;
    block_->terminated()[i] = block_->truncated()[i] = 0;
    block_->skipped()[i] = 1;
  }
  return absl::OkStatus();
}

absl::Status PythonEnvironments::StartAnew(Worker& worker) {
  worker.process.reset();
  CADRE_RETURN_IF_ERROR(Begin(worker));
  CADRE_RETURN_IF_ERROR(ReadSpec(worker).status());
  CADRE_RETURN_IF_ERROR(ShareBlock(worker));
  Seed(worker);
  CADRE_RETURN_IF_ERROR(worker.process->Send("reset"));
  CADRE_RETURN_IF_ERROR(Expect(worker, MonotonicTime::Now() + source_.timeout));
  return CheckRows(worker);
}

void PythonEnvironments::Seed(const Worker& worker) {
  for (int64_t i = worker.first; i < worker.first + worker.count; ++i)
    block_->seeds()[i] = static_cast<int64_t>(random_[i]() >> 33);  // 31 bits.
}

std::vector<std::string> PythonEnvironments::TakeFaults() { return std::exchange(faults_, {}); }

std::vector<pid_t> PythonEnvironments::pids() const {
  std::vector<pid_t> pids;
  for (const Worker& worker : workers_) pids.push_back(worker.process->pid());
  return pids;
}

}  // namespace cadre
