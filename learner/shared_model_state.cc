#include "learner/shared_model_state.h"

#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace cadre {
namespace {

std::string MomentName(int index) { return absl::StrCat("shared.moment.", index); }

}  // namespace

void SaveSharedModel(int64_t version, const v1::OptimizerState& optimizer, TensorMap& state) {
  state.AddScalar<int64_t>("shared.version", version);
  state.AddScalar<int64_t>("shared.step", optimizer.step());
  for (int i = 0; i < optimizer.moments_size(); ++i) {
    std::vector<float> moment(optimizer.moments(i).size() / sizeof(float));
    std::memcpy(moment.data(), optimizer.moments(i).data(), moment.size() * sizeof(float));
    state.Add<float>(MomentName(i), {static_cast<int64_t>(moment.size())}, moment);
  }
}

absl::Status RestoreSharedModel(const TensorMap& state, int64_t& version,
                                v1::OptimizerState& optimizer) {
  int64_t step = 0;
  absl::Status status = state.Read("shared.version", absl::MakeSpan(&version, 1));
  status.Update(state.Read("shared.step", absl::MakeSpan(&step, 1)));
  if (!status.ok()) return absl::DataLossError(status.message());
  optimizer.Clear();
  optimizer.set_step(step);
  for (int i = 0; const NamedTensor* moment = state.Find(MomentName(i)); ++i)
    optimizer.add_moments(std::string(moment->bytes.data(), moment->bytes.size()));
  return absl::OkStatus();
}

}  // namespace cadre
