#include "envs/classic/cartpole_po.h"

#include <array>
#include <cstddef>

#include "envs/encoding.h"

namespace cadre {
namespace {

constexpr size_t kPosition = 0, kAngle = 2;  // In the observation of CartPole-v1.

// Room for what CartPole-v1 shows.
struct WholeObservation {
  std::array<std::byte, 4 * sizeof(float)> bytes;
  absl::Span<std::byte> column = absl::MakeSpan(bytes);

  ObservationRow row() const { return ObservationRow(&column, 1); }
};

void Show(const CartPole& whole, ObservationRow observation) {
  WriteObservation(std::array{whole.state()[kPosition], whole.state()[kAngle]}, observation[0]);
}

}  // namespace

const EnvironmentSpec& CartPolePo::Spec() {
  static const EnvironmentSpec& spec = *new EnvironmentSpec([] {
    EnvironmentSpec result = CartPole::Spec();
    result.id = "CartPolePO-v1";
    ObservationColumn& column = result.observation.columns[0];
    column.shape = {2};
    column.low = {column.low[kPosition], column.low[kAngle]};
    column.high = {column.high[kPosition], column.high[kAngle]};
    return result;
  }());
  return spec;
}

void CartPolePo::Reset(Random& random, ObservationRow observation) {
  WholeObservation whole;
  whole_.Reset(random, whole.row());
  Show(whole_, observation);
}

StepResult CartPolePo::Step(absl::Span<const std::byte> action, Random& random,
                            ObservationRow observation) {
  WholeObservation whole;
  const StepResult result = whole_.Step(action, random, whole.row());
  Show(whole_, observation);
  return result;
}

}  // namespace cadre
