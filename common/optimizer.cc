#include "common/optimizer.h"

#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/config/schedule.h"
#include "common/kernels/kernels.h"
#include "common/kernels/optimizer.h"
#include "common/status_macros.h"

namespace cadre {
namespace {

using Moments = std::vector<float>;  // [P]

void SaveMoments(const Moments& moments, v1::OptimizerState& state) {
  state.add_moments(reinterpret_cast<const char*>(moments.data()), moments.size() * sizeof(float));
}

// Copies state's moments to `to`, all [P] as they are; none where one does not fit.
absl::Status RestoreMoments(const v1::OptimizerState& state, absl::string_view kind,
                            absl::Span<Moments* const> to) {
  if (state.step() < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("optimiser state of step ", state.step(), "; wanted 0 or more"));
  }
  if (state.moments_size() != static_cast<int>(to.size())) {
    return absl::InvalidArgumentError(absl::StrCat("optimiser state with ", state.moments_size(),
                                                   " moments; ", kind, " has ", to.size()));
  }
  for (size_t i = 0; i < to.size(); ++i) {
    const std::string& from = state.moments(static_cast<int>(i));
    if (from.size() == to[i]->size() * sizeof(float)) continue;
    return absl::InvalidArgumentError(absl::StrCat("moment ", i, " of ", kind, " has ", from.size(),
                                                   " bytes; wanted ",
                                                   to[i]->size() * sizeof(float)));
  }
  for (size_t i = 0; i < to.size(); ++i) {
    const std::string& from = state.moments(static_cast<int>(i));
    std::memcpy(to[i]->data(), from.data(), from.size());
  }
  return absl::OkStatus();
}

class SgdOptimizer final : public FlatOptimizer {
 public:
  SgdOptimizer(const OptimizerConfig::Sgd& config, double l2, int64_t parameters)
      : momentum_(static_cast<float>(config.momentum())),
        l2_(static_cast<float>(l2)),
        parameters_(parameters),
        buffer_(momentum_ > 0 ? parameters : 0) {}

  void Step(absl::Span<float> parameters, absl::Span<const float> gradient, double learning_rate,
            float gradient_scale) override {
    CADRE_CHECK(parameters.size() == parameters_ && gradient.size() == parameters_);
    ++step_;
    kernels::Best().sgd(parameters_, parameters.data(), momentum_ > 0 ? buffer_.data() : nullptr,
                        gradient.data(), gradient_scale, l2_, momentum_,
                        static_cast<float>(learning_rate));
  }

  void Save(v1::OptimizerState& state) const override {
    state.Clear();
    state.set_step(step_);
    if (momentum_ > 0) SaveMoments(buffer_, state);
  }

  absl::Status Restore(const v1::OptimizerState& state) override {
    std::vector<Moments*> moments;
    if (momentum_ > 0) moments.push_back(&buffer_);
    CADRE_RETURN_IF_ERROR(RestoreMoments(state, "sgd", moments));
    step_ = state.step();
    return absl::OkStatus();
  }

 private:
  const float momentum_, l2_;
  const int64_t parameters_;
  int64_t step_ = 0;
  Moments buffer_;  // [P]; empty without momentum.
};

class RmsPropOptimizer final : public FlatOptimizer {
 public:
  RmsPropOptimizer(const OptimizerConfig::RmsProp& config, double l2, int64_t parameters)
      : config_(config),
        l2_(static_cast<float>(l2)),
        square_(parameters, static_cast<float>(config.initial_square())),
        mean_(config.centered() ? parameters : 0) {}

  void Step(absl::Span<float> parameters, absl::Span<const float> gradient, double learning_rate,
            float gradient_scale) override {
    CADRE_CHECK(parameters.size() == square_.size() && gradient.size() == square_.size());
    ++step_;
    kernels::Best().rms_prop(static_cast<int64_t>(parameters.size()), parameters.data(),
                             square_.data(), config_.centered() ? mean_.data() : nullptr,
                             gradient.data(), gradient_scale, l2_,
                             static_cast<float>(config_.decay()), static_cast<float>(learning_rate),
                             static_cast<float>(config_.epsilon()), config_.epsilon_inside_root());
  }

  void Save(v1::OptimizerState& state) const override {
    state.Clear();
    state.set_step(step_);
    SaveMoments(square_, state);
    if (config_.centered()) SaveMoments(mean_, state);
  }

  absl::Status Restore(const v1::OptimizerState& state) override {
    std::vector<Moments*> moments = {&square_};
    if (config_.centered()) moments.push_back(&mean_);
    CADRE_RETURN_IF_ERROR(RestoreMoments(state, "rms_prop", moments));
    step_ = state.step();
    return absl::OkStatus();
  }

 private:
  const OptimizerConfig::RmsProp config_;
  const float l2_;
  int64_t step_ = 0;
  Moments square_;  // [P] of the gradient's squares.
  Moments mean_;    // [P] of the gradient; empty where not centred.
};

class AdamOptimizer final : public FlatOptimizer {
 public:
  AdamOptimizer(const OptimizerConfig::Adam& config, double weight_decay, int64_t parameters)
      : adam_(parameters, {.beta1 = config.beta1(),
                           .beta2 = config.beta2(),
                           .epsilon = config.epsilon(),
                           .weight_decay = weight_decay}) {}

  void Step(absl::Span<float> parameters, absl::Span<const float> gradient, double learning_rate,
            float gradient_scale) override {
    adam_.Step(parameters, gradient, learning_rate, gradient_scale);
  }

  void Save(v1::OptimizerState& state) const override {
    state.Clear();
    state.set_step(adam_.state().step);
    SaveMoments(adam_.state().m, state);
    SaveMoments(adam_.state().v, state);
  }

  absl::Status Restore(const v1::OptimizerState& state) override {
    Adam::State& mine = adam_.mutable_state();
    CADRE_RETURN_IF_ERROR(RestoreMoments(state, "adam", std::array<Moments*, 2>{&mine.m, &mine.v}));
    mine.step = state.step();
    return absl::OkStatus();
  }

 private:
  Adam adam_;
};

}  // namespace

std::unique_ptr<FlatOptimizer> MakeFlatOptimizer(const OptimizerConfig& config,
                                                 int64_t parameters) {
  const double decay = config.weight_decay();
  switch (config.kind_case()) {
    case OptimizerConfig::kSgd:
      return std::make_unique<SgdOptimizer>(config.sgd(), decay, parameters);
    case OptimizerConfig::kAdam:
      return std::make_unique<AdamOptimizer>(config.adam(), decay, parameters);
    case OptimizerConfig::kRmsProp:
    case OptimizerConfig::KIND_NOT_SET:
      break;
  }
  return std::make_unique<RmsPropOptimizer>(config.rms_prop(), decay, parameters);
}

double ScheduledLearningRate(const OptimizerConfig& config, int64_t env_steps,
                             int64_t schedule_steps) {
  if (schedule_steps <= 0) return config.learning_rate();
  return ScheduledLearningRate(
      config, static_cast<double>(env_steps) / static_cast<double>(schedule_steps));
}

double ScheduledLearningRate(const OptimizerConfig& config, double progress) {
  return ScheduledValue(config.learning_rate(), config.learning_rate_schedule(), progress);
}

}  // namespace cadre
