// envs_lockstep: plays episodes of a built-in environment side by side for box2d_parity.py.
// Numbers pass as raw little-endian records.
//
//   envs_lockstep ID COUNT
//       < seed uint64[COUNT], then action[COUNT] for each step
//       > observation float32[COUNT, O], then for each step COUNT times
//         (observation float32[O], reward float64, terminated uint8)
//
// All chance of an episode comes from Random(seed). An episode that has terminated is not
// stepped: its observation and `terminated` stay, its reward is 0.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "common/check.h"
#include "common/random.h"
#include "envs/registry.h"

namespace cadre {
namespace {

bool Read(void* data, size_t bytes) { return std::fread(data, 1, bytes, stdin) == bytes; }

void Write(const void* data, size_t bytes) {
  CADRE_CHECK(std::fwrite(data, 1, bytes, stdout) == bytes);
}

struct Episode {
  std::unique_ptr<Environment> environment;
  Random random;
  std::vector<std::byte> observation;
  StepResult result;
};

void Play(const char* id, size_t count) {
  std::vector<Episode> episodes;
  for (size_t i = 0; i < count; ++i) {
    uint64_t seed;
    CADRE_CHECK(Read(&seed, sizeof(seed)));
    auto environment = MakeEnvironment(id);
    CADRE_CHECK(environment.ok());
    std::vector<std::byte> observation((*environment)->spec().observation.bytes());
    episodes.push_back({*std::move(environment), Random(seed), std::move(observation), {}});
  }
  for (Episode& episode : episodes) {
    episode.environment->Reset(episode.random, {absl::MakeSpan(episode.observation)});
    Write(episode.observation.data(), episode.observation.size());
  }
  std::fflush(stdout);
  const size_t action_bytes = episodes[0].environment->spec().action.bytes();
  std::vector<std::byte> actions(count * action_bytes);
  while (Read(actions.data(), actions.size())) {
    for (size_t i = 0; i < count; ++i) {
      Episode& episode = episodes[i];
      if (episode.result.terminated) {
        episode.result.reward = 0;
      } else {
        episode.result = episode.environment->Step(
            absl::MakeConstSpan(actions).subspan(i * action_bytes, action_bytes), episode.random,
            {absl::MakeSpan(episode.observation)});
      }
      const uint8_t terminated = episode.result.terminated;
      Write(episode.observation.data(), episode.observation.size());
      Write(&episode.result.reward, sizeof(double));
      Write(&terminated, sizeof(terminated));
    }
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace cadre

int main(int argc, char** argv) {
  if (argc != 3 || std::atoll(argv[2]) < 1) {
    std::fprintf(stderr, "usage: envs_lockstep ID COUNT\n");
    return 2;
  }
  cadre::Play(argv[1], std::atoll(argv[2]));
}
