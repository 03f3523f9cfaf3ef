#include "learner/batches/staging_buffers.h"

#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <cstring>
#include <memory>
#include <optional>

#include "common/check.h"

namespace cadre {
namespace {

// What copies and vector loads like best.
constexpr int64_t kAlignment = 256;

class NoStaging final : public StagingBuffers {
 public:
  std::vector<torch::Tensor> Stage(absl::Span<const torch::Tensor> host) override {
    return {host.begin(), host.end()};
  }
};

class PinnedStaging final : public StagingBuffers {
 public:
  explicit PinnedStaging(torch::Device device)
      : streams_(device.type()),
        device_(device.has_index() ? device : streams_.getDevice()),
        copies_(streams_.getStreamFromGlobalPool(device_)),
        slots_{Slot(device_.type()), Slot(device_.type())} {}

  std::vector<torch::Tensor> Stage(absl::Span<const torch::Tensor> host) override {
    const PackedTensors packed(host);
    const c10::Stream learner = streams_.getStream(device_);
    // Whatever reads the other slot has been enqueued by now.
    if (slots_[1 - next_].buffer.defined()) slots_[1 - next_].read.record(learner);
    Slot& slot = slots_[next_];
    next_ = 1 - next_;
    // The pinned memory is free once its last copy is done, which the device did long ago
    // unless the learner is two updates ahead of it.
    copies_.synchronize();
    Reserve(slot, packed.bytes(), learner);
    packed.Pack(host, slot.pinned);
    slot.read.block(copies_);
    {
      const c10::StreamGuard on_copies(copies_);
      slot.buffer.narrow(0, 0, packed.bytes())
          .copy_(slot.pinned.narrow(0, 0, packed.bytes()), /*non_blocking=*/true);
    }
    slot.copied.record(copies_);
    slot.copied.block(learner);
    return packed.Views(slot.buffer);
  }

 private:
  struct Slot {
    explicit Slot(c10::DeviceType type) : copied(type), read(type) {}
    torch::Tensor pinned, buffer;  // [bytes] uint8, on the host and on the device.
    c10::Event copied, read;
  };

  // Grows with room to spare. The old buffer was allocated on the learner's stream, where
  // whoever gets its memory next comes after those who read it.
  void Reserve(Slot& slot, int64_t bytes, const c10::Stream& learner) {
    if (slot.buffer.defined() && slot.buffer.numel() >= bytes) return;
    const auto options = torch::TensorOptions(torch::kUInt8);
    slot.pinned = torch::empty({bytes + bytes / 4}, options.pinned_memory(true));
    slot.buffer = torch::empty({bytes + bytes / 4}, options.device(device_));
    // The copy must not overtake those who had this memory before.
    slot.read.record(learner);
  }

  const c10::impl::VirtualGuardImpl streams_;
  const c10::Device device_;
  const c10::Stream copies_;
  Slot slots_[2];
  int next_ = 0;
};

}  // namespace

std::unique_ptr<StagingBuffers> MakeStagingBuffers(torch::Device device) {
  if (device.is_cpu()) return std::make_unique<NoStaging>();
  return std::make_unique<PinnedStaging>(device);
}

OffPolicyBatch StagingBuffers::StageBatch(const OffPolicyBatch& batch) {
  std::vector<torch::Tensor> host = batch.observations.tensors();
  const size_t shown = host.size();
  const std::vector<torch::Tensor> next = batch.next_observations.tensors();
  host.insert(host.end(), next.begin(), next.end());
  for (const auto tensor : kBatchTensors)
    if ((batch.*tensor).defined()) host.push_back(batch.*tensor);
  const std::vector<torch::Tensor> staged = Stage(host);
  const bool masked = batch.observations.mask.defined();
  auto rest = staged.begin() + shown + next.size();
  OffPolicyBatch out;
  out.observations = {{staged.begin(), staged.begin() + shown}, masked};
  if (!next.empty()) out.next_observations = {{staged.begin() + shown, rest}, masked};
  for (const auto tensor : kBatchTensors)
    if ((batch.*tensor).defined()) out.*tensor = *rest++;
  return out;
}

OnPolicyBatch StagingBuffers::StageBatch(const OnPolicyBatch& batch) {
  std::vector<torch::Tensor> host = batch.observations.tensors();
  const size_t shown = host.size();
  host.insert(host.end(), {batch.observation_rows, batch.actions, batch.log_probs});
  const std::vector<torch::Tensor> staged = Stage(host);
  OnPolicyBatch out = batch;
  out.observations = {{staged.begin(), staged.begin() + shown}, batch.observations.mask.defined()};
  out.observation_rows = staged[shown];
  out.actions = staged[shown + 1];
  out.log_probs = staged[shown + 2];
  if (batch.observations.sequences != nullptr)
    out.observations.sequences = std::make_shared<const Sequences>(
        batch.observations.sequences->To(out.observations.device()));
  return out;
}

PackedTensors::PackedTensors(absl::Span<const torch::Tensor> like) {
  for (const torch::Tensor& tensor : like) {
    const int64_t bytes = static_cast<int64_t>(tensor.nbytes());
    places_.push_back({bytes_, bytes, tensor.scalar_type(), tensor.sizes().vec()});
    bytes_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
  }
}

void PackedTensors::Pack(absl::Span<const torch::Tensor> tensors,
                         const torch::Tensor& buffer) const {
  CADRE_CHECK(tensors.size() == places_.size() && buffer.numel() >= bytes_);
  uint8_t* const to = buffer.data_ptr<uint8_t>();
  for (size_t i = 0; i < tensors.size(); ++i) {
    CADRE_CHECK(tensors[i].is_contiguous() && tensors[i].device().is_cpu());
    CADRE_CHECK(static_cast<int64_t>(tensors[i].nbytes()) == places_[i].bytes);
    std::memcpy(to + places_[i].offset, tensors[i].data_ptr(), tensors[i].nbytes());
  }
}

std::vector<torch::Tensor> PackedTensors::Views(const torch::Tensor& buffer) const {
  std::vector<torch::Tensor> views;
  for (const Place& place : places_)
    views.push_back(
        buffer.narrow(0, place.offset, place.bytes).view(place.dtype).view(place.shape));
  return views;
}

}  // namespace cadre
