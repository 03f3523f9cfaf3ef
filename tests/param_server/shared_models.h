// Shared models and gradients for tests.
#pragma once

#include <string>
#include <vector>

#include "google/protobuf/text_format.h"
#include "tests/param_server/test_parameters.h"

namespace cadre {

// Version 1 of 'policy', all zeros; `optimizer` in text format.
inline v1::SharedModel MakeSharedModel(const std::string& optimizer, int64_t count = 4,
                                       int64_t max_gradient_lag = -1) {
  v1::SharedModel model;
  *model.mutable_parameters() = *MakeParameters(1, count);
  model.mutable_parameters()->set_values(ValuesBytes(std::vector<float>(count)));
  model.mutable_parameters()->set_env_steps(0);
  google::protobuf::TextFormat::ParseFromString(optimizer, model.mutable_optimizer());
  model.set_max_gradient_lag(max_gradient_lag);
  return model;
}

// Adds gradients up, with the sign turned: exact for small integers.
inline constexpr char kSum[] = "sgd {} learning_rate: 1 max_gradient_norm: 0";

inline v1::Gradient MakeGradient(int64_t version, const std::vector<float>& values,
                                 uint64_t learner = 0, uint64_t sequence = 0) {
  v1::Gradient gradient;
  gradient.set_model("policy");
  gradient.set_version(version);
  gradient.set_values(ValuesBytes(values));
  gradient.set_env_steps(10);
  gradient.set_learner_id(learner);
  gradient.set_sequence(sequence);
  return gradient;
}

inline std::vector<float> ValuesOf(const v1::Parameters& parameters) {
  const auto* begin = reinterpret_cast<const float*>(parameters.values().data());
  return {begin, begin + parameters.values().size() / sizeof(float)};
}

}  // namespace cadre
