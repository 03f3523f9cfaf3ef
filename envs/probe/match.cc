#include "envs/probe/match.h"

#include "envs/encoding.h"

namespace cadre {
namespace {

constexpr std::array<int64_t, 3> kCounts = {3, 4, 2};
constexpr int64_t kBits = 5;
constexpr int64_t kSide = 4;  // Of the image.

template <size_t kChoices>
double CountEqual(const std::array<int32_t, kChoices>& target, absl::Span<const std::byte> action) {
  int equal = 0;
  for (size_t k = 0; k < kChoices; ++k) equal += DiscreteAction(action, k) == target[k];
  return equal;
}

}  // namespace

const EnvironmentSpec& MultiDiscreteTask::Spec() {
  static const EnvironmentSpec& spec = *new EnvironmentSpec([] {
    EnvironmentSpec result;
    result.id = "MultiDiscreteMatch-v0";
    result.action = ActionSpace::MultiDiscrete({kCounts.begin(), kCounts.end()});
    const int64_t elements = result.action.alternatives();
    result.observation.columns = {{.shape = {elements},
                                   .low = std::vector<float>(elements, 0),
                                   .high = std::vector<float>(elements, 1)}};
    result.max_episode_steps = MultiDiscreteMatch::kSteps;
    result.reward_threshold = 29;
    return result;
  }());
  return spec;
}

void MultiDiscreteTask::Draw(Random& random) {
  for (size_t k = 0; k < target_.size(); ++k)
    target_[k] = static_cast<int32_t>(random.Below(kCounts[k]));
}

void MultiDiscreteTask::Show(Random& /*random*/, ObservationRow observation) const {
  std::array<float, kCounts[0] + kCounts[1] + kCounts[2]> one_hot = {};
  int64_t first = 0;
  for (size_t k = 0; k < target_.size(); ++k) {
    one_hot[first + target_[k]] = 1;
    first += kCounts[k];
  }
  WriteObservation(one_hot, observation[0]);
}

double MultiDiscreteTask::Score(absl::Span<const std::byte> action) const {
  return CountEqual(target_, action);
}

const EnvironmentSpec& MultiBinaryTask::Spec() {
  static const EnvironmentSpec& spec = *new EnvironmentSpec([] {
    EnvironmentSpec result;
    result.id = "MultiBinaryMatch-v0";
    result.observation.columns = {{.shape = {kBits},
                                   .low = std::vector<float>(kBits, 0),
                                   .high = std::vector<float>(kBits, 1)}};
    result.action = ActionSpace::MultiBinary(kBits);
    result.max_episode_steps = MultiBinaryMatch::kSteps;
    result.reward_threshold = 49;
    return result;
  }());
  return spec;
}

void MultiBinaryTask::Draw(Random& random) {
  for (int32_t& bit : target_) bit = static_cast<int32_t>(random.Below(2));
}

void MultiBinaryTask::Show(Random& /*random*/, ObservationRow observation) const {
  WriteObservation(target_, observation[0]);
}

double MultiBinaryTask::Score(absl::Span<const std::byte> action) const {
  return CountEqual(target_, action);
}

const EnvironmentSpec& DictionaryTask::Spec() {
  static const EnvironmentSpec& spec = *new EnvironmentSpec([] {
    EnvironmentSpec result;
    result.id = "DictionaryMatch-v0";
    result.observation.columns = {{.name = "image",
                                   .dtype = v1::DTYPE_UINT8,
                                   .shape = {kSide, kSide},
                                   .low = std::vector<float>(kSide * kSide, 0),
                                   .high = std::vector<float>(kSide * kSide, 255)},
                                  {.name = "reading", .shape = {1}, .low = {-1}, .high = {1}}};
    result.action = ActionSpace::Discrete(4);
    result.max_episode_steps = DictionaryMatch::kSteps;
    result.reward_threshold = 9.5;
    return result;
  }());
  return spec;
}

void DictionaryTask::Draw(Random& random) {
  right_ = random.Below(2) == 1;
  positive_ = random.Below(2) == 1;
}

// Bright pixels are above 192, the others below 64; a reading is at least 0.5 from 0.
void DictionaryTask::Show(Random& random, ObservationRow observation) const {
  std::array<uint8_t, kSide * kSide> image;
  for (int64_t i = 0; i < kSide * kSide; ++i) {
    const bool bright = (i % kSide >= kSide / 2) == right_;
    image[i] = static_cast<uint8_t>(random.Below(64) + (bright ? 192 : 0));
  }
  const double size = random.Uniform(0.5, 1);
  WriteObservation<uint8_t>(image, observation[0]);
  WriteObservation(std::array{positive_ ? size : -size}, observation[1]);
}

double DictionaryTask::Score(absl::Span<const std::byte> action) const {
  return DiscreteAction(action) == (right_ ? 1 : 0) + (positive_ ? 2 : 0);
}

}  // namespace cadre
