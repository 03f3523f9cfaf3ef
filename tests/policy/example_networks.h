// Small networks for tests, and a plain float64 forward pass to hold others against.
#pragma once

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

#include "common/check.h"
#include "common/random.h"
#include "policy/network.h"

namespace cadre {

inline ObservationSpace VectorSpace(int64_t size) {
  ObservationSpace space;
  space.shape = {size};
  return space;
}

inline ActionSpace DiscreteActions(int64_t count) {
  ActionSpace space;
  space.count = count;
  return space;
}

inline ActionSpace ContinuousActions(int64_t dimensions) {
  ActionSpace space;
  space.kind = ActionSpace::Kind::kContinuous;
  space.dimensions = dimensions;
  space.low.assign(dimensions, -1.0f);
  space.high.assign(dimensions, 1.0f);
  return space;
}

inline ModelConfig MlpModelConfig(std::initializer_list<int32_t> hidden,
                                  Activation activation = TANH, bool shared_trunk = false) {
  ModelConfig model;
  for (const int32_t units : hidden) model.mutable_mlp()->add_hidden(units);
  model.mutable_mlp()->set_activation(activation);
  model.mutable_mlp()->set_shared_trunk(shared_trunk);
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

// One row through the layers.
inline std::vector<double> NaiveForward(const Mlp& mlp, const std::vector<double>& parameters,
                                        std::vector<double> x) {
  for (const DenseLayer& layer : mlp) {
    std::vector<double> y(layer.outputs);
    for (int64_t o = 0; o < layer.outputs; ++o) {
      y[o] = parameters[layer.bias + o];
      for (int64_t i = 0; i < layer.inputs; ++i)
        y[o] += parameters[layer.weight + o * layer.inputs + i] * x[i];
      if (layer.activation == LayerActivation::kTanh) y[o] = std::tanh(y[o]);
      if (layer.activation == LayerActivation::kRelu) y[o] = y[o] > 0 ? y[o] : 0;
    }
    x = std::move(y);
  }
  return x;
}

// The policy's head for one observation.
inline std::vector<double> NaivePolicy(const ActorCriticNetwork& network,
                                       const std::vector<float>& parameters,
                                       const std::vector<double>& observation) {
  const std::vector<double> wide(parameters.begin(), parameters.end());
  return NaiveForward(network.policy, wide, NaiveForward(network.trunk, wide, observation));
}

}  // namespace cadre
