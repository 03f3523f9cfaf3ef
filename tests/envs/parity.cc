// envs_parity: drives the built-in environments for gymnasium_parity.py and minatar_parity.py,
// which hold them against Gymnasium and MinAtar. Numbers pass as raw little-endian records.
//
//   envs_parity step ID < (state float64[S], action)...
//       > (next state float64[S], observation float32[O], reward float64, terminated uint8)...
//   envs_parity reset ID SEED COUNT > (state float64[S], observation float32[O])...
//   envs_parity episodes ID SEED < action...
//       > (state before float64[S], observation float32[O], reward float32,
//          terminated uint8, truncated uint8)...
//   envs_parity play ID SEED < action...
//       > observation (observation, observation that follows, reward float32,
//          terminated uint8, truncated uint8)...
//
// `step` sets the state before each action. `episodes` plays a VectorEnvironment
// of one with the spec's time limit; an observation that ends an episode is the
// final one. `play` does the same with any environment, whose columns it writes one after
// the other, in their types; what follows an observation that ends an episode is the next
// one's first.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "common/check.h"
#include "common/random.h"
#include "envs/classic/acrobot.h"
#include "envs/classic/cartpole.h"
#include "envs/classic/mountain_car.h"
#include "envs/classic/mountain_car_continuous.h"
#include "envs/classic/pendulum.h"
#include "envs/registry.h"

namespace cadre {
namespace {

bool Read(absl::Span<std::byte> bytes) {
  return std::fread(bytes.data(), 1, bytes.size(), stdin) == bytes.size();
}

void Write(const void* data, size_t bytes) {
  CADRE_CHECK(std::fwrite(data, 1, bytes, stdout) == bytes);
}

template <typename T>
void WriteValue(T value) {
  Write(&value, sizeof(value));
}

void WriteState(absl::Span<const double> state) {
  Write(state.data(), state.size() * sizeof(double));
}

template <typename E>
size_t ObservationBytes() {
  return E::Spec().observation.elements() * sizeof(float);
}

template <typename E>
void PlaySteps() {
  E environment;
  Random random(1);
  std::vector<double> state(environment.state().size());
  std::vector<std::byte> action(E::Spec().action.bytes());
  std::vector<std::byte> observation(ObservationBytes<E>());
  while (Read(absl::MakeSpan(reinterpret_cast<std::byte*>(state.data()), 8 * state.size())) &&
         Read(absl::MakeSpan(action))) {
    environment.set_state(state);
    const StepResult result = environment.Step(action, random, {absl::MakeSpan(observation)});
    WriteState(environment.state());
    Write(observation.data(), observation.size());
    WriteValue<double>(result.reward);
    WriteValue<uint8_t>(result.terminated);
  }
}

template <typename E>
void PlayResets(uint64_t seed, int64_t count) {
  E environment;
  Random random(seed);
  std::vector<std::byte> observation(ObservationBytes<E>());
  for (int64_t i = 0; i < count; ++i) {
    environment.Reset(random, {absl::MakeSpan(observation)});
    WriteState(environment.state());
    Write(observation.data(), observation.size());
  }
}

template <typename E>
void PlayEpisodes(uint64_t seed) {
  const auto vector = MakeVectorEnvironment(E::Spec().id, 1);
  CADRE_CHECK(vector.ok() && (*vector)->Reset(seed).ok());
  VectorEnvironment& batch = **vector;
  // A second copy, played alike, shows the state that the batch hides.
  E shadow;
  Random random = Random::ForStream(seed, 0);
  std::vector<std::byte> scratch(ObservationBytes<E>());
  std::vector<std::byte> action(E::Spec().action.bytes());
  shadow.Reset(random, {absl::MakeSpan(scratch)});
  while (Read(absl::MakeSpan(action))) {
    WriteState(shadow.state());
    CADRE_CHECK(batch.Step(action).ok());
    const bool ended = batch.terminated()[0] || batch.truncated()[0];
    const auto observation = ended ? batch.final_observations()[0] : batch.observations()[0];
    Write(observation.data(), observation.size());
    WriteValue<float>(batch.rewards()[0]);
    WriteValue<uint8_t>(batch.terminated()[0]);
    WriteValue<uint8_t>(batch.truncated()[0]);
    shadow.Step(action, random, {absl::MakeSpan(scratch)});
    if (ended) shadow.Reset(random, {absl::MakeSpan(scratch)});
  }
}

template <typename E>
bool Play(const std::vector<std::string>& arguments) {
  const std::string& mode = arguments[0];
  if (mode == "step" && arguments.size() == 2) {
    PlaySteps<E>();
  } else if (mode == "reset" && arguments.size() == 4) {
    PlayResets<E>(std::stoull(arguments[2]), std::stoll(arguments[3]));
  } else if (mode == "episodes" && arguments.size() == 3) {
    PlayEpisodes<E>(std::stoull(arguments[2]));
  } else {
    return false;
  }
  return true;
}

void WriteRow(const ShownBlocks& shown) {
  for (const auto& column : shown) Write(column.data(), column.size());
}

bool PlayAny(const std::string& id, uint64_t seed) {
  const auto vector = MakeVectorEnvironment(id, 1);
  if (!vector.ok()) return false;
  VectorEnvironment& batch = **vector;
  CADRE_CHECK(batch.Reset(seed).ok());
  WriteRow(batch.observations());
  std::vector<std::byte> action(batch.spec().action.bytes());
  while (Read(absl::MakeSpan(action))) {
    CADRE_CHECK(batch.Step(action).ok());
    const bool ended = batch.terminated()[0] || batch.truncated()[0];
    WriteRow(ended ? batch.final_observations() : batch.observations());
    WriteRow(batch.observations());
    WriteValue<float>(batch.rewards()[0]);
    WriteValue<uint8_t>(batch.terminated()[0]);
    WriteValue<uint8_t>(batch.truncated()[0]);
  }
  return true;
}

template <typename... Es>
bool PlayNamed(const std::vector<std::string>& arguments) {
  return ((arguments[1] == Es::Spec().id && Play<Es>(arguments)) || ...);
}

}  // namespace
}  // namespace cadre

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 3 && arguments[0] == "play" &&
      cadre::PlayAny(arguments[1], std::stoull(arguments[2]))) {
    return 0;
  }
  if (arguments.size() >= 2 &&
      cadre::PlayNamed<cadre::Acrobot, cadre::CartPole, cadre::MountainCar,
                       cadre::MountainCarContinuous, cadre::Pendulum>(arguments)) {
    return 0;
  }
  std::fprintf(stderr, "usage: envs_parity step|reset|episodes|play ID [SEED [COUNT]]\n");
  return 2;
}
