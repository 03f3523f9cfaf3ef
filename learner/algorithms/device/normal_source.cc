#include "learner/algorithms/device/normal_source.h"

#include <ATen/Context.h>

#include <mutex>
#include <vector>

#include "common/status_macros.h"
#include "learner/algorithms/device/normal_noise.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "learner/algorithms/optimization/optimizer_state.h"

namespace cadre {

NormalSource::NormalSource(Random random, const DeviceOptions& options) : random_(random) {
  if (!options.device.is_cuda() || !options.device_noise) return;
  // A generator of this device, of our own.
  generator_ = at::globalContext().defaultGenerator(options.device).clone();
  Seed();
}

// From a copy: how often a run was seeded changes nothing.
void NormalSource::Seed() {
  Random copy = random_;
  const std::scoped_lock lock(generator_->mutex());
  generator_->set_current_seed(copy());
}

void NormalSource::FillShare(const Collective* collective, torch::Tensor& noise) {
  if (!generator_.has_value()) return FillNormalShare(random_, collective, noise);
  if (collective == nullptr) {
    noise.normal_(0, 1, *generator_);
    return;
  }
  const torch::Tensor whole = torch::empty({collective->size(), noise.numel()}, noise.options());
  whole.normal_(0, 1, *generator_);
  noise.copy_(whole[collective->rank()].view(noise.sizes()));
}

void NormalSource::Save(const std::string& name, TensorMap& state) const {
  SaveRandom(name, random_, state);
  if (!generator_.has_value()) return;
  const torch::Tensor bytes = generator_->get_state();
  const absl::Span<const uint8_t> from = Flat<uint8_t>(bytes);
  const std::vector<int64_t> words(from.begin(), from.end());
  state.Add<int64_t>(name + ".device", {static_cast<int64_t>(words.size())}, words);
}

absl::Status NormalSource::Restore(const std::string& name, const TensorMap& state) {
  CADRE_RETURN_IF_ERROR(RestoreRandom(name, state, random_));
  if (!generator_.has_value()) return absl::OkStatus();
  if (state.Find(name + ".device") == nullptr) {
    Seed();
    return absl::OkStatus();
  }
  torch::Tensor bytes = generator_->get_state().clone();
  std::vector<int64_t> words(bytes.numel());
  const absl::Status status = state.Read(name + ".device", absl::MakeSpan(words));
  if (!status.ok()) return absl::DataLossError(status.message());
  const absl::Span<uint8_t> to = Flat<uint8_t>(bytes);
  for (size_t i = 0; i < words.size(); ++i) to[i] = static_cast<uint8_t>(words[i]);
  const std::scoped_lock lock(generator_->mutex());
  generator_->set_state(bytes);
  return absl::OkStatus();
}

}  // namespace cadre
