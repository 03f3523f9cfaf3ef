// Hover-v0: a drone of 1 kg that can push itself up holds its height. A continuous action, options,
// an error, and a state that can be set. Start here for an environment in C++.
//
//   c++ -std=c++17 -O2 -shared -fPIC -I envs/plugin -o libdrone.so
//   docs/examples/plugin_cpp/drone.cc cadre envs check ./libdrone.so
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "cadre_env.h"

namespace {

constexpr double kGravity = 9.81;   // [m/s^2]
constexpr double kTimeStep = 0.05;  // [s]

struct Drone {
  double height = 0, velocity = 0;  // [m] from where it should be, [m/s]
};

struct Drones {
  std::vector<Drone> drones;
  double wind = 0;  // [m/s^2] largest, up or down
  std::mt19937_64 random;
  std::string error;

  double Uniform(double low, double high) {
    return low + (high - low) * static_cast<double>(random() >> 11) * 0x1p-53;
  }
  void Observe(size_t i, const CadreEnvBatch& batch) const {
    float* const row = static_cast<float*>(batch.observations[0]) + 2 * i;
    row[0] = static_cast<float>(drones[i].height);
    row[1] = static_cast<float>(drones[i].velocity);
  }
};

std::string create_error;

int32_t Count() { return 1; }

const CadreEnvSpec* Spec(int32_t) {
  static const int64_t shape[] = {2};
  static const CadreEnvColumn column = {"obs", CADRE_ENV_FLOAT32, 1, shape, nullptr, nullptr};
  static const float low[] = {-10}, high[] = {10};
  static const CadreEnvSpec spec = {
      "Hover-v0", 1, &column, CADRE_ENV_CONTINUOUS, 1, nullptr, low, high, 0, 200, NAN};
  return &spec;
}

void* Create(int32_t, int64_t num_envs, const CadreEnvOption* options, int32_t option_count) {
  auto* const envs = new Drones;
  envs->drones.resize(num_envs);
  for (int32_t o = 0; o < option_count; ++o) {
    if (std::strcmp(options[o].key, "wind") != 0) {
      create_error = std::string("unknown option '") + options[o].key + "'; wanted wind";
      delete envs;
      return nullptr;
    }
    envs->wind = std::strtod(options[o].value, nullptr);
  }
  return envs;
}

void Destroy(void* envs) { delete static_cast<Drones*>(envs); }

int32_t Seed(void* pointer, uint64_t seed) {
  static_cast<Drones*>(pointer)->random.seed(seed);
  return 0;
}

int32_t Reset(void* pointer, const uint8_t* which, const CadreEnvBatch* batch) {
  Drones& envs = *static_cast<Drones*>(pointer);
  for (size_t i = 0; i < envs.drones.size(); ++i) {
    if (!which[i]) continue;
    envs.drones[i] = {envs.Uniform(-2, 2), envs.Uniform(-1, 1)};
    envs.Observe(i, *batch);
  }
  return 0;
}

int32_t Step(void* pointer, const void* actions, const uint8_t* which, const CadreEnvBatch* batch) {
  Drones& envs = *static_cast<Drones*>(pointer);
  for (size_t i = 0; i < envs.drones.size(); ++i) {
    if (!which[i]) continue;
    Drone& drone = envs.drones[i];
    // The action is the push beyond gravity [m/s^2]; it may be out of bounds.
    const double push = std::fmax(-10.0, std::fmin(10.0, static_cast<const float*>(actions)[i]));
    drone.velocity += kTimeStep * (push + envs.wind * envs.Uniform(-1, 1));
    drone.height += kTimeStep * drone.velocity;
    const bool lost = std::fabs(drone.height) > 10;
    batch->rewards[i] =
        static_cast<float>(lost ? -kGravity : 1 - std::fmin(1.0, std::fabs(drone.height)));
    batch->terminated[i] = lost;
    batch->truncated[i] = 0;
    envs.Observe(i, *batch);
  }
  return 0;
}

const char* LastError(void* pointer) {
  return pointer == nullptr ? create_error.c_str() : static_cast<Drones*>(pointer)->error.c_str();
}

int32_t SetState(void* pointer, int64_t index, const double* state, int64_t count,
                 const CadreEnvBatch* batch) {
  Drones& envs = *static_cast<Drones*>(pointer);
  if (count != 2) {
    envs.error = "a state has " + std::to_string(count) + " numbers; wanted height and velocity";
    return 1;
  }
  envs.drones[index] = {state[0], state[1]};
  envs.Observe(index, *batch);
  return 0;
}

}  // namespace

const CadreEnvApi* cadre_env_api(uint32_t host_abi_version) {
  static const CadreEnvApi api = {
      CADRE_ENV_ABI_VERSION, Count, Spec, Create, Destroy, Seed, Reset, Step, LastError, SetState};
  return host_abi_version == CADRE_ENV_ABI_VERSION ? &api : nullptr;
}
