#include "envs/mujoco/simulation.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/check.h"

namespace cadre {
namespace {

// MuJoCo's state that determines the next one, warm start of the solver included.
constexpr int kState = mjSTATE_INTEGRATION;

// A task ends an episode that has become unstable, and a model's faults are in the error of
// loading it. MuJoCo's own handler would write a log into the current folder.
void IgnoreWarning(const char* /*message*/) {}

}  // namespace

absl::StatusOr<std::shared_ptr<Simulation>> Simulation::Load(const std::string& path) {
  mju_user_warning = IgnoreWarning;
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error))
    return absl::NotFoundError(absl::StrCat("model '", path, "': no such file"));
  std::array<char, 1000> message = {};
  Model model(mj_loadXML(path.c_str(), nullptr, message.data(), message.size()));
  if (model == nullptr) {
    const std::string line =
        absl::StrReplaceAll(absl::StripAsciiWhitespace(message.data()), {{"\n", "; "}});
    return absl::InvalidArgumentError(absl::StrCat("model '", path, "': ", line));
  }
  return std::shared_ptr<Simulation>(new Simulation(std::move(model)));
}

Simulation::Simulation(Model model) : model_(std::move(model)), data_(mj_makeData(model_.get())) {
  CADRE_CHECK(data_ != nullptr);
  initial_.resize(mj_stateSize(model_.get(), kState));
  Take(&initial_);
}

void Simulation::Put(const State& state) {
  CADRE_CHECK(state.size() == initial_.size());
  mj_setState(model_.get(), data_.get(), state.data(), kState);
}

void Simulation::Take(State* state) const {
  state->resize(initial_.size());
  mj_getState(model_.get(), data_.get(), state->data(), kState);
}

void Simulation::Step(int times) {
  for (int i = 0; i < times; ++i) mj_step(model_.get(), data_.get());
}

void Simulation::ClearContactForces() {
  std::fill_n(data_->cfrc_ext, 6 * model_->nbody, mjtNum{0});
}

}  // namespace cadre
