// N environments that processes of a Python interpreter step, each its share of them, through
// memory that all of them share.
//
// A worker that breaks (an environment raises, hangs, returns what it must not; the process ends)
// is replaced within the same call, and its rows are `skipped`: the step that was running is no
// transition, and the episodes that were running in that worker are lost. Nothing that a broken
// worker wrote is shown.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/random.h"
#include "envs/environment.h"
#include "envs/python/shared_block.h"
#include "envs/python/worker_process.h"
#include "envs/vector_environment.h"

namespace cadre {

struct PythonSource {
  std::string name;     // Of the environments, as the config has it.
  std::string request;  // What a worker is to make: the JSON of its first message, without count.
  bool vector = false;  // What it makes can only be stepped together.
  int workers = 1;
  absl::Duration timeout = absl::Seconds(60);  // Of a step or a reset.
  int max_restarts = 5;                        // Of a worker without a whole episode in between.
};

class PythonEnvironments final : public VectorEnvironment {
 public:
  // INVALID_ARGUMENT with what the worker says, where it cannot make the environments;
  // UNAVAILABLE or DEADLINE_EXCEEDED where it breaks; NOT_FOUND without an interpreter.
  static absl::StatusOr<std::unique_ptr<PythonEnvironments>> Create(PythonSource source,
                                                                    int64_t count);
  ~PythonEnvironments() override;

  const EnvironmentSpec& spec() const override { return spec_; }
  int64_t count() const override { return count_; }

  // Besides what the interface says: INTERNAL where a worker broke more often than
  // `max_restarts` permits, CANCELLED after Stop.
  absl::Status Reset(uint64_t seed) override;
  absl::Status Step(absl::Span<const std::byte> actions) override;
  absl::Status StepSome(absl::Span<const std::byte> actions,
                        absl::Span<const uint8_t> stepped) override;
  absl::Status Restart(absl::Span<const uint8_t> restarted) override;
  void Stop() override { wake_.Notify(); }

  ShownBlocks observations() const override { return block_->observations(); }
  ShownBlocks final_observations() const override { return block_->final_observations(); }
  absl::Span<const float> rewards() const override { return block_->rewards(); }
  absl::Span<const uint8_t> terminated() const override { return block_->terminated(); }
  absl::Span<const uint8_t> truncated() const override { return block_->truncated(); }
  absl::Span<const uint8_t> skipped() const override { return block_->skipped(); }
  std::vector<std::string> TakeFaults() override;

  // For tests: of the workers.
  std::vector<pid_t> pids() const;

 private:
  struct Worker {
    int64_t first, count;       // Its rows.
    std::vector<uint8_t> rows;  // The same as a mask, [N].
    std::unique_ptr<WorkerProcess> process;
    int restarts_in_a_row = 0;
    absl::Status fault;  // Of the current call.
  };

  PythonEnvironments(PythonSource source, int64_t count);

  absl::Status StartAll();
  // Starts a process and asks it for its environments; ReadSpec takes its answer.
  absl::Status Begin(Worker& worker);
  absl::StatusOr<EnvironmentSpec> ReadSpec(Worker& worker);
  absl::Status ShareBlock(Worker& worker);

  // Sends `line` to all and waits for them; replaces those that broke.
  absl::Status Exchange(absl::string_view line);
  absl::Status Expect(Worker& worker, MonotonicTime deadline);
  absl::Status CheckRows(const Worker& worker) const;
  bool AnyEnded(const Worker& worker) const;
  absl::Status Replace(Worker& worker);
  absl::Status StartAnew(Worker& worker);
  void Seed(const Worker& worker);

  absl::Status CheckReady(absl::Span<const std::byte> actions) const;

  const PythonSource source_;
  const int64_t count_;
  WakeUp wake_;
  int memory_ = -1;
  std::unique_ptr<SharedBlock> block_;
  EnvironmentSpec spec_;
  std::vector<Worker> workers_;
  std::vector<Random> random_;  // [N], of the seeds; empty before the first Reset.
  std::vector<std::string> faults_;
};

}  // namespace cadre
