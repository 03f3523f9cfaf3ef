#include "param_server/model_updater.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "common/kernels/optimizer.h"
#include "common/status_macros.h"
#include "param_server/finite.h"

namespace cadre {
namespace {

// Longer, and the square of a value may not be a float32 any more.
constexpr double kLongestGradient = 1e18;

absl::Span<const float> Floats(const std::string& bytes) {
  return {reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float)};
}

absl::Span<float> MutableFloats(std::string& bytes) {
  return {reinterpret_cast<float*>(bytes.data()), bytes.size() / sizeof(float)};
}

std::string Name(const v1::Gradient& gradient) {
  return absl::StrCat("gradient ", gradient.sequence(), " of learner ",
                      absl::Hex(gradient.learner_id()), " for '", gradient.model(), "'");
}

absl::Status CheckSameKind(const v1::Parameters& stored, const v1::Parameters& offered) {
  if (stored.values().size() != offered.values().size()) {
    return absl::FailedPreconditionError(
        absl::StrCat("model '", stored.model(), "' is started with ", stored.values().size(),
                     " bytes of values; got ", offered.values().size()));
  }
  if (stored.layout_fingerprint() != offered.layout_fingerprint()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "model '", stored.model(), "' is started with layout ",
        absl::Hex(stored.layout_fingerprint()), "; got ", absl::Hex(offered.layout_fingerprint())));
  }
  return absl::OkStatus();
}

}  // namespace

ModelUpdater::ModelUpdater(const v1::SharedModel& model, int64_t parameters)
    : config_(model.optimizer()),
      schedule_steps_(model.schedule_steps()),
      max_gradient_lag_(model.max_gradient_lag()),
      size_(parameters),
      pool_(std::make_shared<VersionPool>()),
      newest_(std::make_shared<v1::Parameters>(model.parameters())),
      optimizer_(MakeFlatOptimizer(config_, parameters)) {
  for (const v1::PushedSequence& pushed : model.pushed())
    learners_[pushed.learner_id()] = {.sequence = pushed.sequence(),
                                      .refused = pushed.refused(),
                                      .env_steps = pushed.env_steps()};
}

absl::StatusOr<std::unique_ptr<ModelUpdater>> ModelUpdater::Create(const v1::SharedModel& model) {
  auto updater = absl::WrapUnique(new ModelUpdater(
      model, static_cast<int64_t>(model.parameters().values().size() / sizeof(float))));
  if (model.has_optimizer_state()) {
    absl::MutexLock lock(&updater->mutex_);
    CADRE_RETURN_IF_ERROR(updater->optimizer_->Restore(model.optimizer_state()));
  }
  return updater;
}

absl::Status ModelUpdater::Check(const v1::Gradient& gradient, double norm) const {
  if (gradient.learner_id() == 0 || gradient.sequence() == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(Name(gradient), ": neither learner id nor sequence may be 0"));
  }
  if (gradient.version() < 1 || gradient.env_steps() < 0) {
    return absl::InvalidArgumentError(absl::StrCat(Name(gradient), ": version ", gradient.version(),
                                                   " and ", gradient.env_steps(),
                                                   " env steps; wanted at least 1 and 0"));
  }
  if (!gradient.values().empty() &&
      gradient.values().size() != static_cast<size_t>(size_) * sizeof(float)) {
    return absl::InvalidArgumentError(absl::StrCat(Name(gradient), ": ", gradient.values().size(),
                                                   " bytes of values; the model has ",
                                                   size_ * sizeof(float)));
  }
  if (norm <= kLongestGradient) return absl::OkStatus();
  const int64_t at = FirstNonFinite(gradient.values());
  if (at < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(Name(gradient), " is ", norm, " long; wanted at most ", kLongestGradient));
  }
  return absl::InvalidArgumentError(absl::StrCat(Name(gradient), ": value ", at, " is ",
                                                 Floats(gradient.values())[at],
                                                 "; wanted finite numbers"));
}

absl::StatusOr<ModelUpdater::Pushed> ModelUpdater::Push(const v1::Gradient& gradient,
                                                        Install install) {
  const double norm = GradientNorm(Floats(gradient.values()));
  if (const absl::Status status = Check(gradient, norm); !status.ok()) {
    ++broken_;
    return status;
  }
  absl::MutexLock lock(&mutex_);
  const int64_t lag = newest_->version() - gradient.version();
  const auto known = learners_.find(gradient.learner_id());
  if (known != learners_.end() && gradient.sequence() <= known->second.sequence) {
    ++duplicates_;
    return Pushed{
        Outcome::kDuplicate, {!known->second.refused, known->second.lag, newest_}, Learners()};
  }
  if (lag < 0) {
    return absl::OutOfRangeError(absl::StrCat(Name(gradient), " is of version ", gradient.version(),
                                              "; the newest here is ", newest_->version()));
  }
  const bool no_step = gradient.values().empty();
  const bool too_old = !no_step && max_gradient_lag_ >= 0 && lag > max_gradient_lag_;
  const int64_t counted = known == learners_.end() ? 0 : known->second.env_steps;
  const int64_t all_steps =
      std::max(counted, gradient.all_env_steps() > 0 ? gradient.all_env_steps()
                                                     : counted + gradient.env_steps());
  const int64_t env_steps = newest_->env_steps() + all_steps - counted;
  ParametersPtr next = too_old || no_step ? WithSteps(env_steps) : Step(gradient, norm, env_steps);
  install(next);
  newest_ = std::move(next);
  if (too_old) {
    ++refused_;
  } else if (!no_step) {
    ++applied_;
    max_lag_ = std::max(max_lag_.load(), lag);
  }
  LearnerOf(gradient.learner_id()) = {gradient.sequence(), too_old, lag, ++turns_, all_steps};
  const Outcome outcome = no_step   ? Outcome::kNoStep
                          : too_old ? Outcome::kTooOld
                                    : Outcome::kApplied;
  return Pushed{outcome, {!too_old, lag, newest_}, Learners()};
}

ParametersPtr ModelUpdater::Step(const v1::Gradient& gradient, double norm, int64_t env_steps) {
  std::shared_ptr<v1::Parameters> next = pool_->Take();
  *next = *newest_;  // Into the buffer that is there.
  next->set_version(newest_->version() + 1);
  next->set_env_steps(env_steps);
  optimizer_->Step(MutableFloats(*next->mutable_values()), Floats(gradient.values()),
                   ScheduledLearningRate(config_, newest_->env_steps(), schedule_steps_),
                   GradientScale(norm, config_.max_gradient_norm()));
  return next;
}

ParametersPtr ModelUpdater::WithSteps(int64_t env_steps) {
  std::shared_ptr<v1::Parameters> next = pool_->Take();
  *next = *newest_;  // Into the buffer that is there.
  next->set_env_steps(env_steps);
  return next;
}

ModelUpdater::Learner& ModelUpdater::LearnerOf(uint64_t id) {
  if (learners_.size() >= kMostLearners && !learners_.contains(id)) {
    learners_.erase(std::min_element(
        learners_.begin(), learners_.end(),
        [](const auto& a, const auto& b) { return a.second.turn < b.second.turn; }));
  }
  return learners_[id];
}

std::vector<v1::PushedSequence> ModelUpdater::Learners() const {
  std::vector<v1::PushedSequence> all;
  all.reserve(learners_.size());
  for (const auto& [id, learner] : learners_) {
    v1::PushedSequence& pushed = all.emplace_back();
    pushed.set_learner_id(id);
    pushed.set_sequence(learner.sequence);
    pushed.set_refused(learner.refused);
    pushed.set_env_steps(learner.env_steps);
  }
  return all;
}

absl::StatusOr<ModelUpdater::Newest> ModelUpdater::TakeOver(const v1::SharedModel& model,
                                                            Install install) {
  absl::MutexLock lock(&mutex_);
  CADRE_RETURN_IF_ERROR(CheckSameKind(*newest_, model.parameters()));
  const v1::Parameters& offered = model.parameters();
  const bool newer = offered.version() > newest_->version();
  const int64_t env_steps = StepsOfBoth(model);
  const bool more_steps = env_steps > newest_->env_steps();
  if (newer && model.has_optimizer_state())
    CADRE_RETURN_IF_ERROR(optimizer_->Restore(model.optimizer_state()));
  MergeSteps(model);
  if (newer || (more_steps && offered.version() == newest_->version())) MergeSequences(model);
  if (newer) {
    auto next = std::make_shared<v1::Parameters>(offered);
    next->set_env_steps(env_steps);
    newest_ = std::move(next);
  } else if (more_steps) {
    newest_ = WithSteps(env_steps);
  }
  if (newer || more_steps) install(newest_);
  return Newest{newest_, Learners()};
}

int64_t ModelUpdater::StepsOfBoth(const v1::SharedModel& model) const {
  // By either way the same, unless one of them was made before steps were counted by learner.
  int64_t here = newest_->env_steps(), there = model.parameters().env_steps();
  for (const auto& [id, learner] : learners_) there += learner.env_steps;
  for (const v1::PushedSequence& pushed : model.pushed()) {
    const auto known = learners_.find(pushed.learner_id());
    const int64_t counted = known == learners_.end() ? 0 : known->second.env_steps;
    here += std::max<int64_t>(0, pushed.env_steps() - counted);
    there -= std::min(counted, pushed.env_steps());
  }
  return std::max(here, there);
}

void ModelUpdater::MergeSteps(const v1::SharedModel& model) {
  for (const v1::PushedSequence& pushed : model.pushed()) {
    if (pushed.env_steps() == 0) continue;
    int64_t& env_steps = LearnerOf(pushed.learner_id()).env_steps;
    env_steps = std::max(env_steps, pushed.env_steps());
  }
}

void ModelUpdater::MergeSequences(const v1::SharedModel& model) {
  for (const v1::PushedSequence& pushed : model.pushed()) {
    Learner& learner = LearnerOf(pushed.learner_id());
    if (pushed.sequence() <= learner.sequence) continue;
    learner.sequence = pushed.sequence();
    learner.refused = pushed.refused();
    learner.lag = 0;
    learner.turn = ++turns_;
  }
}

ParametersPtr ModelUpdater::newest() const {
  absl::MutexLock lock(&mutex_);
  return newest_;
}

v1::SharedModel ModelUpdater::Save() const {
  v1::SharedModel model;
  *model.mutable_optimizer() = config_;
  model.set_schedule_steps(schedule_steps_);
  model.set_max_gradient_lag(max_gradient_lag_);
  ParametersPtr newest;
  {
    absl::MutexLock lock(&mutex_);
    newest = newest_;
    optimizer_->Save(*model.mutable_optimizer_state());
    for (v1::PushedSequence& pushed : Learners()) *model.add_pushed() = std::move(pushed);
  }
  *model.mutable_parameters() = *newest;
  return model;
}

void ModelUpdater::SaveCounters(v1::ModelInfo& info) const {
  info.set_shared(true);
  info.set_applied_gradients(applied_);
  info.set_refused_gradients(refused_);
  info.set_duplicate_gradients(duplicates_);
  info.set_broken_gradients(broken_);
  info.set_max_gradient_lag(max_lag_);
}

void ModelUpdater::RestoreCounters(const v1::ModelInfo& info) {
  applied_ = info.applied_gradients();
  refused_ = info.refused_gradients();
  duplicates_ = info.duplicate_gradients();
  broken_ = info.broken_gradients();
  max_lag_ = info.max_gradient_lag();
}

}  // namespace cadre
