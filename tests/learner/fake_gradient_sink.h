// A shared model in a few naive lines: RMSProp (Mnih et al. 2016, eq. 8 and 9) in plain
// loops, at once for each gradient. It remembers what it was given.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "common/ports.h"

namespace cadre {

struct NaiveRmsProp {
  double rate, decay, epsilon, max_norm;
  double initial_square = 1;
  std::vector<double> g;

  void Step(std::vector<float>& parameters, const std::vector<float>& gradient) {
    g.resize(parameters.size(), initial_square);
    double norm = 0;
    for (const float x : gradient) norm += static_cast<double>(x) * x;
    norm = std::sqrt(norm);
    const double scale = max_norm > 0 && norm > max_norm ? max_norm / norm : 1;
    for (size_t i = 0; i < g.size(); ++i) {
      const double x = scale * gradient[i];
      g[i] = decay * g[i] + (1 - decay) * x * x;
      parameters[i] -= static_cast<float>(rate * x / (std::sqrt(g[i]) + epsilon));
    }
  }
};

inline std::vector<float> FloatsOf(const std::string& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

inline std::string BytesOf(const std::vector<float>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

class FakeGradientSink final : public GradientSink {
 public:
  absl::StatusOr<ParametersPtr> Start(v1::SharedModel model) override {
    started.push_back(model);
    if (!shared.has_parameters()) {
      shared = std::move(model);
      const OptimizerConfig& config = shared.optimizer();
      optimizer = {config.learning_rate(),
                   config.rms_prop().decay(),
                   config.rms_prop().epsilon(),
                   config.max_gradient_norm(),
                   config.rms_prop().initial_square(),
                   {}};
      for (const std::string& moment : shared.optimizer_state().moments())
        for (const float value : FloatsOf(moment)) optimizer.g.push_back(value);
    }
    return Newest();
  }

  absl::StatusOr<PushedGradient> Push(v1::Gradient gradient) override {
    if (finished) return absl::FailedPreconditionError("the run is FINISHED");
    if (!answer.ok()) return answer;
    if (const int others = std::exchange(others_make, 0); others > 0) {
      for (int i = 0; i < others; ++i) Move(gradient);
    }
    PushedGradient pushed;
    pushed.lag = shared.parameters().version() - gradient.version();
    pushed.applied = !std::exchange(refuse_next, false);
    if (pushed.applied && !gradient.values().empty())
      Move(gradient);
    else
      Count(gradient);
    gradients.push_back(std::move(gradient));
    pushed.newest = Newest();
    return pushed;
  }

  absl::StatusOr<v1::SharedModel> Fetch(const std::string& model) override {
    fetched.push_back(model);
    v1::SharedModel out = shared;
    *out.mutable_pushed() = pushed;
    out.mutable_optimizer_state()->set_step(shared.parameters().version() - 1);
    out.mutable_optimizer_state()->clear_moments();
    out.mutable_optimizer_state()->add_moments(
        BytesOf(std::vector<float>(optimizer.g.begin(), optimizer.g.end())));
    return out;
  }

  void Close() override {}

  ParametersPtr Newest() const { return std::make_shared<v1::Parameters>(shared.parameters()); }

  v1::SharedModel shared;
  google::protobuf::RepeatedPtrField<v1::PushedSequence> pushed;  // Of the model when fetched.
  NaiveRmsProp optimizer{};
  std::vector<v1::SharedModel> started;
  std::vector<v1::Gradient> gradients;
  std::vector<std::string> fetched;
  int others_make = 0;       // Versions that come in before the next gradient: copies of it.
  bool refuse_next = false;  // As too old.
  bool finished = false;
  absl::Status answer;  // To each gradient, unless OK.

 private:
  void Move(const v1::Gradient& gradient) {
    v1::Parameters& parameters = *shared.mutable_parameters();
    std::vector<float> values = FloatsOf(parameters.values());
    optimizer.Step(values, FloatsOf(gradient.values()));
    parameters.set_values(BytesOf(values));
    parameters.set_version(parameters.version() + 1);
    Count(gradient);
  }
  void Count(const v1::Gradient& gradient) {
    v1::Parameters& parameters = *shared.mutable_parameters();
    parameters.set_env_steps(parameters.env_steps() + gradient.env_steps());
  }
};

}  // namespace cadre
