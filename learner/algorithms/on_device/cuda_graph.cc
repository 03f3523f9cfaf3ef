// Compiled where LibTorch has CUDA.
#include <ATen/cuda/CUDAGraph.h>
#include <c10/core/Event.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <exception>
#include <mutex>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "learner/algorithms/on_device/device_graph.h"

namespace cadre {
namespace {

// Eager runs before recording: libraries make their handles and workspaces in the first,
// buffers get their place.
constexpr int kWarmUps = 3;

// Held while a graph is recorded or destroyed. Learners that are threads do either at any time,
// and a device on which one records must not be waited for, nor give memory back.
std::mutex one_at_a_time;

void Wait(const c10::cuda::CUDAStream& waits, const c10::cuda::CUDAStream& done) {
  c10::Event event(c10::DeviceType::CUDA);
  event.record(done.unwrap());
  event.block(waits.unwrap());
}

class CudaGraph final : public DeviceGraph {
 public:
  explicit CudaGraph(const DeviceOptions& options)
      : device_(options.device.has_index() ? options.device.index() : c10::cuda::current_device()),
        side_(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device_)),
        on_fallback_(options.on_fallback) {}
  ~CudaGraph() override {
    const std::scoped_lock lock(one_at_a_time);
    graph_.reset();
  }

  void Run(absl::FunctionRef<void()> work) override {
    const c10::cuda::CUDAGuard on_device(device_);
    if (failed_) {
      work();
    } else if (graph_ != nullptr) {
      graph_->replay();
    } else if (warm_ups_ < kWarmUps) {
      ++warm_ups_;
      RunOnSideStream(work);
    } else {
      Record(work);
    }
  }

  void Forget() override {
    if (graph_ == nullptr && warm_ups_ == 0) return;
    const std::scoped_lock lock(one_at_a_time);
    // A launch may be under way.
    c10::cuda::getCurrentCUDAStream(device_).synchronize();
    graph_.reset();
    warm_ups_ = 0;
  }

  bool recorded() const override { return graph_ != nullptr; }

 private:
  // The stream that records, as libraries keep workspaces by stream.
  void RunOnSideStream(absl::FunctionRef<void()> work) {
    const c10::cuda::CUDAStream current = c10::cuda::getCurrentCUDAStream(device_);
    Wait(side_, current);
    {
      const c10::cuda::CUDAStreamGuard on_side(side_);
      work();
    }
    Wait(current, side_);
  }

  // Recording does nothing yet; one launch makes up for it.
  void Record(absl::FunctionRef<void()> work) {
    const std::scoped_lock lock(one_at_a_time);
    C10_CUDA_CHECK(cudaDeviceSynchronize());
    auto graph = std::make_unique<at::cuda::CUDAGraph>();
    try {
      const c10::cuda::CUDAStreamGuard on_side(side_);
      // What other threads do on the device is their business.
      graph->capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
      work();
      graph->capture_end();
    } catch (const std::exception& error) {
      GiveUp(std::move(graph), error);
      work();
      return;
    }
    graph_ = std::move(graph);
    graph_->replay();
  }

  void GiveUp(std::unique_ptr<at::cuda::CUDAGraph> graph, const std::exception& error) {
    failed_ = true;
    EndRecording(*graph);
    if (!on_fallback_) return;
    const std::string message = error.what();
    on_fallback_(absl::StrCat(
        "no CUDA graph: ",
        std::pair<std::string, std::string>(absl::StrSplit(message, absl::MaxSplits('\n', 1)))
            .first));
  }

  // However far it came: streams and allocator must be usable again.
  void EndRecording(at::cuda::CUDAGraph& graph) {
    try {
      const c10::cuda::CUDAStreamGuard on_side(side_);
      graph.capture_end();
    } catch (const std::exception&) {
      // It was broken off already.
    }
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    if (cudaStreamIsCapturing(side_, &status) == cudaSuccess &&
        status != cudaStreamCaptureStatusNone) {
      cudaGraph_t rest = nullptr;
      if (cudaStreamEndCapture(side_, &rest) == cudaSuccess && rest != nullptr)
        cudaGraphDestroy(rest);
    }
    cudaGetLastError();  // Clears what the recording left.
  }

  const c10::DeviceIndex device_;
  const c10::cuda::CUDAStream side_;
  const std::function<void(absl::string_view)> on_fallback_;
  std::unique_ptr<at::cuda::CUDAGraph> graph_;
  int warm_ups_ = 0;
  bool failed_ = false;
};

}  // namespace

std::unique_ptr<DeviceGraph> MakeCudaGraph(const DeviceOptions& options) {
  return std::make_unique<CudaGraph>(options);
}

bool BuiltWithCuda() { return true; }

}  // namespace cadre
