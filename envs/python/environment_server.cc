#include "envs/python/environment_server.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "envs/python/shared_block.h"
#include "envs/python/spec_json.h"
#include "nlohmann/json.hpp"

namespace cadre {
namespace {

template <typename T>
void Copy(absl::Span<const T> from, absl::Span<T> to) {
  if (from.empty())
    std::fill(to.begin(), to.end(), T{});
  else
    std::copy(from.begin(), from.end(), to.begin());
}

void Show(const VectorEnvironment& environments, SharedBlock& block) {
  Copy(environments.rewards(), block.rewards());
  Copy(environments.terminated(), block.terminated());
  Copy(environments.truncated(), block.truncated());
  Copy(environments.skipped(), block.skipped());
  const absl::Span<const uint8_t> terminated = block.terminated(), truncated = block.truncated();
  for (size_t c = 0; c < environments.observations().size(); ++c) {
    Copy(environments.observations()[c], block.observation(c));
    const absl::Span<const std::byte> last = environments.final_observations()[c];
    const absl::Span<std::byte> kept = block.final_observation(c);
    const size_t row = kept.size() / terminated.size();
    for (size_t i = 0; i < terminated.size(); ++i)
      if (terminated[i] | truncated[i]) std::memcpy(&kept[i * row], &last[i * row], row);
  }
}

absl::Status SetState(const std::string& line, VectorEnvironment& environments) {
  const nlohmann::json request = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  const auto wrong = absl::InvalidArgumentError(
      absl::StrCat("got message '", line, "'; wanted a step, a reset, a restart or set_state"));
  if (!request.is_object() || !request.contains("set_state")) return wrong;
  int64_t index = 0;
  std::vector<double> state;
  try {
    index = request["set_state"].at("index");
    state = request["set_state"].at("state").get<std::vector<double>>();
  } catch (const nlohmann::json::exception&) {
    return wrong;
  }
  if (index < 0 || index >= environments.count())
    return absl::InvalidArgumentError(
        absl::StrCat("got index ", index, "; wanted 0 to ", environments.count() - 1));
  return environments.SetState(index, state);
}

absl::Status Do(const std::string& line, VectorEnvironment& environments, SharedBlock& block) {
  if (line == "step") return environments.Step(block.actions());
  if (line == "step_some") return environments.StepSome(block.actions(), block.stepped());
  if (line == "reset") return environments.Reset(static_cast<uint64_t>(block.seeds()[0]));
  if (line == "restart") return environments.Restart(block.stepped());
  return SetState(line, environments);
}

std::string ErrorLine(const absl::Status& status) {
  return nlohmann::json({{"error", std::string(status.message())}}).dump();
}

}  // namespace

void RefuseEnvironments(const absl::Status& status, LineSocket& control) {
  control.Send(ErrorLine(status));
}

absl::Status ServeEnvironments(VectorEnvironment& environments, LineSocket& control, int memory) {
  CADRE_ASSIGN_OR_RETURN(auto block,
                         SharedBlock::Create(memory, environments.spec(), environments.count()));
  control.Send(absl::StrCat(R"({"protocol":)", kPythonProtocol, R"(,"spec":)",
                            SpecJson(environments.spec()), R"(,"layout":)",
                            LayoutJson(block->layout()), "}"));
  while (true) {
    std::optional<std::string> line;
    while (!(line = control.TakeLine()).has_value())
      if (!control.ReadMore()) return absl::OkStatus();
    const absl::Status status = Do(*line, environments, *block);
    if (status.ok()) Show(environments, *block);
    control.Send(status.ok() ? "ok" : ErrorLine(status));
  }
}

}  // namespace cadre
