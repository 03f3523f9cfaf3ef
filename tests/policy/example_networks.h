// Small networks for tests, and a plain float64 forward pass to hold others against.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "common/check.h"
#include "common/random.h"
#include "policy/networks/actor_critic_network.h"

namespace cadre {

inline ObservationSpace VectorSpace(int64_t size) { return {.columns = {{.shape = {size}}}}; }

inline ActionSpace DiscreteActions(int64_t count) { return ActionSpace::Discrete(count); }

inline ActionSpace ContinuousActions(int64_t dimensions) {
  ActionSpace space;
  space.kind = ActionSpace::Kind::kContinuous;
  space.dimensions = dimensions;
  space.low.assign(dimensions, -1.0f);
  space.high.assign(dimensions, 1.0f);
  return space;
}

// The only column of what environments show.
inline absl::Span<const std::byte> Block(absl::Span<const float> rows) {
  return {reinterpret_cast<const std::byte*>(rows.data()), rows.size() * sizeof(float)};
}

inline ModelConfig MlpModelConfig(std::initializer_list<int32_t> hidden,
                                  Activation activation = TANH, bool shared_trunk = false) {
  ModelConfig model;
  for (const int32_t units : hidden) model.mutable_mlp()->add_hidden(units);
  model.mutable_mlp()->set_activation(activation);
  model.mutable_mlp()->set_shared_trunk(shared_trunk);
  return model;
}

inline ModelConfig WithStateDependentLogStd(ModelConfig model) {
  model.mutable_mlp()->set_state_dependent_log_std(true);
  return model;
}

inline ActorCriticNetwork ExampleNetwork(const ModelConfig& model, int64_t observation_size,
                                         const ActionSpace& action) {
  auto network = MakeActorCritic(model, VectorSpace(observation_size), action);
  CADRE_CHECK(network.ok());
  return *std::move(network);
}

inline std::vector<float> RandomFloats(int64_t n, Random& random, double scale = 1) {
  std::vector<float> values(n);
  for (float& value : values) value = static_cast<float>(scale * random.Normal());
  return values;
}

// What every operation of a network makes of one row of each input, by value; in float64.
inline std::vector<std::vector<double>> NaiveValues(const Network& network,
                                                    const std::vector<double>& parameters,
                                                    std::vector<std::vector<double>> values) {
  CADRE_CHECK(values.size() == network.inputs.size());
  for (const Operation& operation : network.operations) {
    std::vector<double> y(operation.size);
    if (const auto* dense = std::get_if<Dense>(&operation.kind)) {
      std::vector<double> x;
      for (const ValueId operand : operation.operands)
        x.insert(x.end(), values[operand].begin(), values[operand].end());
      for (int64_t o = 0; o < dense->outputs; ++o) {
        y[o] = parameters[dense->bias + o];
        for (int64_t i = 0; i < dense->inputs; ++i)
          y[o] += parameters[dense->weight + o * dense->inputs + i] * x[i];
        if (dense->activation == LayerActivation::kTanh) y[o] = std::tanh(y[o]);
        if (dense->activation == LayerActivation::kRelu) y[o] = y[o] > 0 ? y[o] : 0;
      }
    } else {
      const auto& [actions, atoms] = std::get<Dueling>(operation.kind);
      const std::vector<double>& v = values[operation.operands[0]];
      const std::vector<double>& a = values[operation.operands[1]];
      for (int64_t z = 0; z < atoms; ++z) {
        double mean = 0;
        for (int64_t i = 0; i < actions; ++i)
          mean += a[i * atoms + z] / static_cast<double>(actions);
        for (int64_t i = 0; i < actions; ++i) y[i * atoms + z] = v[z] + a[i * atoms + z] - mean;
      }
    }
    values.push_back(std::move(y));
  }
  return values;
}

inline std::vector<double> NaiveHead(const Network& network, int head,
                                     const std::vector<double>& parameters,
                                     std::vector<std::vector<double>> inputs) {
  return NaiveValues(network, parameters, std::move(inputs))[network.heads[head].value];
}

// The policy's head for one observation.
inline std::vector<double> NaivePolicy(const ActorCriticNetwork& network,
                                       const std::vector<float>& parameters,
                                       const std::vector<double>& observation) {
  return NaiveHead(network.network, ActorCriticNetwork::kPolicy,
                   {parameters.begin(), parameters.end()}, {observation});
}

// Of a network: "inputs>outputs" of each dense layer, with '*' behind it where it has an
// activation, and "dueling".
inline std::vector<std::string> ShapeOf(const Network& network) {
  std::vector<std::string> shape;
  for (const Operation& operation : network.operations) {
    const auto* dense = std::get_if<Dense>(&operation.kind);
    shape.push_back(dense == nullptr
                        ? "dueling"
                        : absl::StrCat(dense->inputs, ">", dense->outputs,
                                       dense->activation == LayerActivation::kNone ? "" : "*"));
  }
  return shape;
}

}  // namespace cadre
