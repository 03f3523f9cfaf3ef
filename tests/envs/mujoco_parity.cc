// mujoco_parity: plays a MuJoCo task for mujoco_parity.py, which plays the same in Gymnasium.
// Numbers pass as raw little-endian records.
//
//   mujoco_parity ID SEED < action float32[A]...
//       > (started uint8, set uint8, state float64[S], observation float32[O], reward float64,
//          terminated uint8)...
//   mujoco_parity ID SEED STARTS > state float64[S]...
//
// The first record is a start; so is the one after an episode has ended. A start takes no action.
// A step in four hundred is followed by one that sets the state it is in, each number moved a
// little; it takes no action either.
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "common/check.h"
#include "common/random.h"
#include "envs/mujoco/mujoco_environment.h"
#include "envs/registry.h"

namespace cadre {
namespace {

constexpr int kSetEvery = 400;

template <typename T>
void Write(const T* data, size_t count) {
  CADRE_CHECK(std::fwrite(data, sizeof(T), count, stdout) == count);
}

void WriteRecord(uint8_t started, uint8_t set, const MujocoEnvironment& environment,
                 const std::vector<std::byte>& observation, const StepResult& result) {
  const std::vector<double> state = environment.state();
  const uint8_t terminated = result.terminated;
  Write(&started, 1);
  Write(&set, 1);
  Write(state.data(), state.size());
  Write(observation.data(), observation.size());
  Write(&result.reward, 1);
  Write(&terminated, 1);
}

void Play(const std::string& id, uint64_t seed) {
  const auto made = MakeEnvironment(id);
  CADRE_CHECK(made.ok());
  auto& environment = dynamic_cast<MujocoEnvironment&>(**made);
  const int64_t limit = environment.spec().max_episode_steps;
  Random random(seed);
  std::vector<std::byte> action(environment.spec().action.bytes());
  std::vector<std::byte> observation(environment.spec().observation.bytes());
  const absl::Span<std::byte> row = absl::MakeSpan(observation);
  int64_t steps = 0;
  for (bool ended = true;;) {
    if (ended) {
      environment.Reset(random, {row});
      WriteRecord(1, 0, environment, observation, {});
    }
    if (std::fread(action.data(), 1, action.size(), stdin) != action.size()) return;
    const StepResult result = environment.Step(action, random, {row});
    WriteRecord(0, 0, environment, observation, result);
    steps = ended ? 1 : steps + 1;
    ended = result.terminated || steps >= limit;
    if (!ended && steps % kSetEvery == 0) {
      std::vector<double> state = environment.state();
      for (double& number : state) number += random.Uniform(-0.001, 0.001);
      CADRE_CHECK(environment.SetState(state, {row}).ok());
      WriteRecord(0, 1, environment, observation, {});
    }
  }
}

void PlayStarts(const std::string& id, uint64_t seed, int64_t starts) {
  const auto made = MakeEnvironment(id);
  CADRE_CHECK(made.ok());
  auto& environment = dynamic_cast<MujocoEnvironment&>(**made);
  Random random(seed);
  std::vector<std::byte> observation(environment.spec().observation.bytes());
  for (int64_t i = 0; i < starts; ++i) {
    environment.Reset(random, {absl::MakeSpan(observation)});
    const std::vector<double> state = environment.state();
    Write(state.data(), state.size());
  }
}

}  // namespace
}  // namespace cadre

int main(int argc, char** argv) {
  if (argc == 3) {
    cadre::Play(argv[1], std::stoull(argv[2]));
  } else if (argc == 4) {
    cadre::PlayStarts(argv[1], std::stoull(argv[2]), std::stoll(argv[3]));
  } else {
    std::fprintf(stderr, "usage: mujoco_parity ID SEED [STARTS]\n");
    return 2;
  }
}
