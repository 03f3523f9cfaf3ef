// step_bench ENVIRONMENT N SECONDS: steps N copies of any environment, the text of a config's
// environment { ... }, for so long, with random actions. Prints {"steps_per_second", "skipped"}.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "common/config/error_list.h"
#include "common/config/text_format_reader.h"
#include "common/random.h"
#include "common/status_macros.h"
#include "common/tensor_view.h"
#include "envs/sources.h"
#include "policy/acting/action_range.h"

namespace {

using Clock = std::chrono::steady_clock;

double Seconds(Clock::time_point since) {
  return std::chrono::duration<double>(Clock::now() - since).count();
}

absl::Status Measure(const std::string& text, int64_t count, double seconds) {
  cadre::EnvironmentConfig config;
  cadre::ErrorList errors;
  cadre::ReadTextFormat(text, "environment", &config, &errors);
  CADRE_RETURN_IF_ERROR(errors.ToStatus());
  CADRE_ASSIGN_OR_RETURN(auto environments, cadre::MakeVectorEnvironment(config, count));
  CADRE_RETURN_IF_ERROR(environments->Reset(1));
  const cadre::ActionSpace& action = environments->spec().action;
  cadre::Random random(1);
  std::vector<std::byte> actions(count * action.bytes());
  int64_t steps = 0, skipped = 0;
  const auto step = [&]() -> absl::Status {
    const auto mask = action.masked ? cadre::ColumnAs<uint8_t>(environments->observations().back())
                                    : absl::Span<const uint8_t>();
    cadre::DrawUniformActions(action, mask, random, absl::MakeSpan(actions));
    CADRE_RETURN_IF_ERROR(environments->Step(actions));
    const absl::Span<const uint8_t> skips = environments->skipped();
    skipped += std::count(skips.begin(), skips.end(), 1);
    steps += count;
    return absl::OkStatus();
  };
  for (const auto begin = Clock::now(); Seconds(begin) < seconds / 5;)  // Warms up.
    CADRE_RETURN_IF_ERROR(step());
  steps = skipped = 0;
  const auto begin = Clock::now();
  while (Seconds(begin) < seconds) CADRE_RETURN_IF_ERROR(step());
  std::printf("{\"steps_per_second\": %.0f, \"skipped\": %lld}\n",
              static_cast<double>(steps - skipped) / Seconds(begin),
              static_cast<long long>(skipped));
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: step_bench ENVIRONMENT N SECONDS\n");
    return 2;
  }
  const absl::Status status = Measure(argv[1], std::atoll(argv[2]), std::atof(argv[3]));
  if (!status.ok()) std::fprintf(stderr, "step_bench: %s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 1;
}
