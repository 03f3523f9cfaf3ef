// Compiled where LibTorch has CUDA.
#include <ATen/core/CachingHostAllocator.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/core/Event.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <exception>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <torch/version.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "learner/algorithms/device/device_graph.h"

// Before, a launch moves the state of a generator that all threads share, and fails while another
// one records (https://github.com/pytorch/pytorch/pull/143777).
#if TORCH_VERSION_MAJOR < 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR < 7)
#error "CUDA graphs want LibTorch 2.7 or later"
#endif

namespace cadre {
namespace {

// Eager runs before recording: libraries make their handles and workspaces in the first,
// buffers get their place.
constexpr int kWarmUps = 3;

// Held while a graph is recorded or destroyed. Learners that are threads do either at any time,
// and a device on which one records must not be waited for, nor give memory back.
std::mutex one_at_a_time;

// A stream that nobody else has. LibTorch's own are 32 of a device, handed out round and round:
// what one owner does there while another records would become part of the recording. Streams
// go back for the next graph and are never destroyed, as LibTorch keeps memory by stream.
class OwnStream {
 public:
  explicit OwnStream(c10::DeviceIndex device) : device_(device), stream_(Take(device)) {}
  ~OwnStream() {
    const std::scoped_lock lock(mutex());
    spare()[device_].push_back(stream_);
  }
  OwnStream(const OwnStream&) = delete;
  OwnStream& operator=(const OwnStream&) = delete;

  c10::cuda::CUDAStream get() const { return c10::cuda::getStreamFromExternal(stream_, device_); }

 private:
  static cudaStream_t Take(c10::DeviceIndex device) {
    const std::scoped_lock lock(mutex());
    std::vector<cudaStream_t>& streams = spare()[device];
    cudaStream_t stream = nullptr;
    if (streams.empty()) {
      const c10::cuda::CUDAGuard on_device(device);
      C10_CUDA_CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
      return stream;
    }
    stream = streams.back();
    streams.pop_back();
    return stream;
  }

  static std::mutex& mutex() {
    static std::mutex* const mutex = new std::mutex;
    return *mutex;
  }
  static std::map<c10::DeviceIndex, std::vector<cudaStream_t>>& spare() {
    static auto* const spare = new std::map<c10::DeviceIndex, std::vector<cudaStream_t>>;
    return *spare;
  }

  const c10::DeviceIndex device_;
  const cudaStream_t stream_;
};

void Wait(const c10::cuda::CUDAStream& waits, const c10::cuda::CUDAStream& done) {
  c10::Event event(c10::DeviceType::CUDA);
  event.record(done.unwrap());
  event.block(waits.unwrap());
}

class CudaGraph final : public DeviceGraph {
 public:
  explicit CudaGraph(const DeviceOptions& options)
      : device_(options.device.has_index() ? options.device.index() : c10::cuda::current_device()),
        own_(device_),
        side_(own_.get()),
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
    const at::cuda::MempoolId_t pool = at::cuda::graph_pool_handle();
    try {
      const c10::cuda::CUDAStreamGuard on_side(side_);
      // What other threads do on the device is their business.
      graph->capture_begin(pool, cudaStreamCaptureModeThreadLocal);
      work();
      graph->capture_end();
    } catch (const std::exception& error) {
      GiveUp(std::move(graph), pool, error);
      work();
      return;
    }
    graph_ = std::move(graph);
    graph_->replay();
  }

  void GiveUp(std::unique_ptr<at::cuda::CUDAGraph> graph, at::cuda::MempoolId_t pool,
              const std::exception& error) {
    failed_ = true;
    if (EndRecording(*graph))
      Attempt([&] { graph->reset(); });
    else
      EndPool(pool);
    // Never destroyed: the allocator may still ask it which stream it records.
    static_cast<void>(graph.release());
    if (!on_fallback_) return;
    const std::string message = error.what();
    on_fallback_(absl::StrCat(
        "no CUDA graph: ",
        std::pair<std::string, std::string>(absl::StrSplit(message, absl::MaxSplits('\n', 1)))
            .first));
  }

  // However far it came: streams must be usable again. True where the graph has ended it itself,
  // and with it the use of its pool.
  bool EndRecording(at::cuda::CUDAGraph& graph) {
    const bool ended = Attempt([&] {
      const c10::cuda::CUDAStreamGuard on_side(side_);
      graph.capture_end();
    });
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    if (cudaStreamIsCapturing(side_, &status) == cudaSuccess &&
        status != cudaStreamCaptureStatusNone) {
      cudaGraph_t rest = nullptr;
      if (cudaStreamEndCapture(side_, &rest) == cudaSuccess && rest != nullptr)
        cudaGraphDestroy(rest);
    }
    cudaGetLastError();  // Clears what the recording left.
    return ended;
  }

  // The allocators' part of a recording, of which a graph that failed says nothing to them: they
  // would take it to be under way for ever.
  void EndPool(at::cuda::MempoolId_t pool) {
    Attempt([&] { c10::cuda::CUDACachingAllocator::endAllocateToPool(device_, pool); });
    Attempt([&] { c10::cuda::CUDACachingAllocator::releasePool(device_, pool); });
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 11
    Attempt([&] { at::getHostAllocator(at::kCUDA)->end_allocate_to_pool(pool); });
    Attempt([&] { at::getHostAllocator(at::kCUDA)->release_pool(pool); });
#endif
  }

  // False where it throws: the recording had not come so far, or it was ended before.
  static bool Attempt(absl::FunctionRef<void()> work) {
    try {
      work();
      return true;
    } catch (const std::exception&) {
      return false;
    }
  }

  const c10::DeviceIndex device_;
  const OwnStream own_;
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
