#include "learner/loop/evaluator.h"

#include <array>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/random.h"
#include "common/status_macros.h"
#include "learner/loop/batch_learner.h"
#include "learner/loop/trainer_state.h"
#include "spdlog/spdlog.h"

namespace cadre {
namespace {

// In a checkpoint. "best_evaluation" is the confirmation; before there were any, the only one.
constexpr char kEvaluatedSteps[] = "evaluated_steps";
constexpr char kBest[] = "best_evaluation";
constexpr char kBestFirst[] = "best_evaluation.first";  // And its env_steps.
constexpr char kLast[] = "last_evaluation";             // The same four numbers.

std::array<double, 4> NumbersOf(const Evaluation& evaluation) {
  return {evaluation.mean_return, evaluation.std_return, evaluation.mean_length,
          static_cast<double>(evaluation.episodes)};
}

std::array<double, 5> NumbersOf(const Evaluation& evaluation, int64_t env_steps) {
  const auto numbers = NumbersOf(evaluation);
  return {numbers[0], numbers[1], numbers[2], numbers[3], static_cast<double>(env_steps)};
}

// Those of `name`, which has `size` of them; nothing where it is not there.
absl::StatusOr<std::optional<std::vector<double>>> Read(const TensorMap& state,
                                                        const std::string& name, size_t size) {
  if (state.Find(name) == nullptr) return std::nullopt;
  CADRE_ASSIGN_OR_RETURN(std::vector<double> numbers, ReadVector(state, name));
  if (numbers.size() != size)
    return absl::DataLossError(absl::StrCat("the checkpoint's '", name, "' has ", numbers.size(),
                                            " values; wanted ", size));
  return numbers;
}

Evaluation EvaluationOf(const std::vector<double>& numbers) {
  return {numbers[0], numbers[1], numbers[2], static_cast<int64_t>(numbers[3])};
}

}  // namespace

bool Evaluator::Due(int64_t env_steps) const {
  return interval() > 0 && env_steps / interval() > evaluated_steps_ / interval();
}

bool Evaluator::DueAtEnd(int64_t env_steps) const {
  return interval() > 0 && env_steps > (last_.has_value() ? last_->env_steps : 0);
}

absl::StatusOr<Evaluation> Evaluator::EvaluateOnce(const v1::Parameters& parameters,
                                                   uint64_t episodes,
                                                   const std::function<bool()>& stop) const {
  const uint64_t seed = Random::ForStream(config_.seed(), kEvaluationStream, episodes)();
  return cadre::Evaluate(config_, parameters,
                         {.episodes = config_.evaluation().episodes(), .seed = seed, .stop = stop});
}

absl::StatusOr<bool> Evaluator::Evaluate(const v1::Parameters& parameters, int64_t env_steps,
                                         const std::function<bool()>& stop) {
  // The same for a run that was stopped and resumed, and for no two evaluations.
  const uint64_t episodes = 2 * static_cast<uint64_t>(env_steps);
  CADRE_ASSIGN_OR_RETURN(const Evaluation first, EvaluateOnce(parameters, episodes, stop));
  spdlog::info("evaluation at {} steps: mean return {:.1f} +- {:.1f} over {} episodes", env_steps,
               first.mean_return, first.std_return, first.episodes);
  const auto reaches_best = [this](const Evaluation& evaluation) {
    return !best_.has_value() || evaluation.mean_return >= best_->confirmation.mean_return;
  };
  std::optional<Evaluation> confirmation;
  if (reaches_best(first)) {
    CADRE_ASSIGN_OR_RETURN(confirmation, EvaluateOnce(parameters, episodes + 1, stop));
    spdlog::info("  on other episodes {:.1f} +- {:.1f}: {}", confirmation->mean_return,
                 confirmation->std_return,
                 reaches_best(*confirmation) ? "the best so far" : "not the best");
  }
  last_ = Last{env_steps, first};
  evaluated_steps_ = env_steps;
  if (!confirmation.has_value() || !reaches_best(*confirmation)) return false;
  best_ = Best{env_steps, first, *confirmation};
  return true;
}

void Evaluator::Save(TensorMap& state) const {
  if (interval() > 0) state.AddScalar<int64_t>(kEvaluatedSteps, evaluated_steps_);
  if (last_.has_value())
    state.Add<double>(kLast, {5}, NumbersOf(last_->evaluation, last_->env_steps));
  if (!best_.has_value()) return;
  state.Add<double>(kBest, {4}, NumbersOf(best_->confirmation));
  state.Add<double>(kBestFirst, {5}, NumbersOf(best_->first, best_->env_steps));
}

absl::Status Evaluator::Restore(const TensorMap& state, int64_t env_steps) {
  // Not saved while evaluations were off: the next multiple is due.
  evaluated_steps_ = state.ReadScalar<int64_t>(kEvaluatedSteps).value_or(env_steps);
  CADRE_ASSIGN_OR_RETURN(const auto last, Read(state, kLast, 5));
  if (last.has_value()) last_ = Last{static_cast<int64_t>((*last)[4]), EvaluationOf(*last)};
  CADRE_ASSIGN_OR_RETURN(const auto confirmation, Read(state, kBest, 4));
  if (!confirmation.has_value()) return absl::OkStatus();
  CADRE_ASSIGN_OR_RETURN(const auto first, Read(state, kBestFirst, 5));
  best_ = Best{.first = EvaluationOf(*confirmation), .confirmation = EvaluationOf(*confirmation)};
  if (first.has_value()) {
    best_->env_steps = static_cast<int64_t>((*first)[4]);
    best_->first = EvaluationOf(*first);
  }
  return absl::OkStatus();
}

}  // namespace cadre
