// Evaluations of a run while it trains: when one is due, on which episodes, and which policy is
// the best so far. One thread.
//
// One is due whenever the run has passed a multiple of the interval, counted over its whole
// life, and for its last policy, unless that is the one that was evaluated last: also where a
// finished run is resumed that was not evaluated before. Each has episodes of its own. The largest
// of many noisy numbers says little: a policy is the best only if a second evaluation, on other
// episodes, also reaches the best one's, and it is the second that the next ones are compared with.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "learner/loop/evaluation.h"
#include "learner/run_folder/safetensors.h"
#include "proto/config.pb.h"
#include "proto/parameters.pb.h"

namespace cadre {

class Evaluator {
 public:
  struct Best {
    int64_t env_steps = 0;    // Of its policy; 0 where an older checkpoint did not say.
    Evaluation first;         // Why it was thought to be the best.
    Evaluation confirmation;  // On other episodes: what to expect of it.
  };
  struct Last {
    int64_t env_steps = 0;
    Evaluation evaluation;
  };

  // `config`, resolved, must outlive it.
  explicit Evaluator(const ExperimentConfig& config) : config_(config) {}

  // Whether a run that stands at `env_steps` is to be evaluated: because it has passed a multiple
  // of the interval; because it ends there.
  bool Due(int64_t env_steps) const;
  bool DueAtEnd(int64_t env_steps) const;

  // Evaluates the policy of `env_steps`, and once more if it may be the best. True: it is.
  // CANCELLED where `stop`, which is asked between steps, said so: then it is still due.
  absl::StatusOr<bool> Evaluate(const v1::Parameters& parameters, int64_t env_steps,
                                const std::function<bool()>& stop);

  const std::optional<Best>& best() const { return best_; }
  void ForgetBest() { best_.reset(); }  // The next one is the best so far.
  // Whether both evaluations of the best policy are at least `threshold`.
  bool reached(double threshold) const {
    return best_.has_value() && best_->first.mean_return >= threshold &&
           best_->confirmation.mean_return >= threshold;
  }
  const std::optional<Last>& last() const { return last_; }

  // For a checkpoint; nothing where there are no evaluations.
  void Save(TensorMap& state) const;
  // From a checkpoint of `env_steps`, older ones included. DATA_LOSS: it makes no sense.
  absl::Status Restore(const TensorMap& state, int64_t env_steps);

 private:
  int64_t interval() const { return config_.evaluation().every_env_steps(); }
  absl::StatusOr<Evaluation> EvaluateOnce(const v1::Parameters& parameters, uint64_t episodes,
                                          const std::function<bool()>& stop) const;

  const ExperimentConfig& config_;
  // Where the run stood when a multiple of the interval was evaluated last, or when evaluations
  // were switched on.
  int64_t evaluated_steps_ = 0;
  std::optional<Best> best_;
  std::optional<Last> last_;
};

}  // namespace cadre
