#include "learner/parallel/c10d_collective.h"

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <exception>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#ifdef USE_C10D_NCCL
#include <ATen/cuda/CUDAContext.h>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/check.h"
#include "common/process/monotonic_time.h"
#include "common/status_macros.h"
#include "learner/torch_error.h"

namespace cadre {
namespace {

// Between two looks whether an earlier group has ended.
constexpr absl::Duration kRetry = absl::Milliseconds(200);
// A single attempt to reach the store, so that a stop is noticed in between.
constexpr absl::Duration kAttempt = absl::Seconds(1);
// How long a learner that was asked to stop waits for the others, and how often it looks
// whether it was.
constexpr absl::Duration kStopGrace = absl::Seconds(1);
constexpr absl::Duration kLookForStop = absl::Milliseconds(100);
// How long survivors of a learner wait to hear from each other who is left.
constexpr absl::Duration kRollCall = absl::Seconds(2);
// How long one that has nothing more to do waits for the others to be as far. Far more than a
// device takes to end what the others' have ended.
constexpr absl::Duration kLeave = absl::Seconds(5);
// c10d's stores cannot be waited for and given up before their time: they are looked at.
constexpr absl::Duration kLook = absl::Milliseconds(20);

std::chrono::milliseconds Milliseconds(absl::Duration duration) {
  return absl::ToChronoMilliseconds(duration);
}

struct Endpoint {
  std::string host;
  int port = 0;
};

absl::StatusOr<Endpoint> ParseEndpoint(const std::string& address) {
  const size_t colon = address.rfind(':');
  Endpoint endpoint;
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(address.substr(colon + 1), &endpoint.port) || endpoint.port < 1 ||
      endpoint.port > 65535)
    return absl::InvalidArgumentError(
        absl::StrCat("rendezvous: got '", address, "'; wanted host:port"));
  endpoint.host = address.substr(0, colon);
  return endpoint;
}

std::string Present(int rank) { return absl::StrCat("present/", rank); }
std::string Left(int rank) { return absl::StrCat("left/", rank); }

using StorePtr = c10::intrusive_ptr<c10d::Store>;

class C10dCollective final : public Collective {
 public:
  C10dCollective(const C10dOptions& options, StorePtr store,
                 c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo)
      : options_(options), store_(std::move(store)), gloo_(std::move(gloo)) {}
#ifdef USE_C10D_NCCL
  ~C10dCollective() override {
    if (failed_.ok() && last_on_device_.defined()) LeaveTogether();
  }
#endif

  int rank() const override { return options_.rank; }
  int size() const override { return options_.size; }

  absl::Status Sum(torch::Tensor values) override {
    CADRE_CHECK(values.is_contiguous());
    if (!failed_.ok()) return failed_;
    try {
      failed_ = AllReduce(values);
      // A thread of gloo's waits for the others as long as it may take, and whoever drops gloo
      // for that thread: so it stays until the process ends.
      if (!failed_.ok()) gloo_.release();
    } catch (const std::exception& error) {
      failed_ = Lost(ReasonOf(error));
    }
    return failed_;
  }

#ifdef USE_C10D_NCCL
  // What NCCL sums waits on the device, for a learner that has died as for a slow one; gloo's
  // connections break where one dies.
  absl::Status Meet() override { return nccl_.defined() ? Sum(torch::ones({1})) : failed_; }
#endif

 private:
  absl::Status AllReduce(torch::Tensor& values) {
    if (values.is_cuda() && !transport_known_) ChooseTransport(values.device());
#ifdef USE_C10D_NCCL
    if (values.is_cuda() && nccl_.defined()) {
      std::vector<torch::Tensor> tensors{values};
      last_on_device_ = nccl_->allreduce(tensors);
      last_on_device_->wait();
      return absl::OkStatus();
    }
#endif
    std::vector<torch::Tensor> tensors{values.cpu()};
    CADRE_RETURN_IF_ERROR(WaitFor(*gloo_->allreduce(tensors)));
    if (!tensors[0].is_same(values)) values.copy_(tensors[0]);
    return absl::OkStatus();
  }

  // c10d cannot be asked to stop waiting, so this waits a little at a time. Throws what the sum
  // failed with. CANCELLED if this learner was asked to stop and the others do not come.
  absl::Status WaitFor(c10d::Work& work) {
    std::optional<MonotonicTime> stopped;
    while (options_.stop_requested) {
      try {
        work.wait(Milliseconds(kLookForStop));
        return absl::OkStatus();
      } catch (const std::exception&) {
        if (work.isCompleted()) break;  // If only just.
      }
      if (!stop_requested()) continue;
      if (!stopped.has_value()) stopped = MonotonicTime::Now();
      if (MonotonicTime::Now() - *stopped >= kStopGrace)
        return absl::CancelledError("stopped while waiting for the other learners");
    }
    work.wait();
    return absl::OkStatus();
  }
  bool stop_requested() const { return options_.stop_requested && options_.stop_requested(); }

  // Of tensors on GPUs.
  void ChooseTransport([[maybe_unused]] torch::Device mine) {
    const char* transport = "gloo by way of the host, as this was built without NCCL";
#ifdef USE_C10D_NCCL
    if (OnDevicesOfTheirOwn(mine)) {
      ConnectNccl();
      transport = "NCCL";
    } else {
      transport = "gloo by way of the host, as NCCL refuses learners that share a GPU";
    }
#endif
    transport_known_ = true;
    if (options_.on_transport) options_.on_transport(transport);
  }

#ifdef USE_C10D_NCCL
  // NCCL refuses ranks that share a device, slices of it included. Each tells the others by the
  // store which is its.
  bool OnDevicesOfTheirOwn(torch::Device mine) {
    const cudaDeviceProp& device = *at::cuda::getDeviceProperties(mine.index());
    const absl::string_view uuid(device.uuid.bytes, sizeof device.uuid.bytes);
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    const std::string slot =
        absl::StrCat(host, " ", device.pciDomainID, ":", device.pciBusID, ":", device.pciDeviceID);
    return AllDiffer("uuid", uuid) && AllDiffer("slot", slot);
  }

  bool AllDiffer(absl::string_view name, absl::string_view mine) {
    const auto key = [name](int rank) { return absl::StrCat("device/", name, "/", rank); };
    store_->set(key(options_.rank), std::vector<uint8_t>(mine.begin(), mine.end()));
    std::set<std::vector<uint8_t>> values;
    for (int rank = 0; rank < options_.size; ++rank) values.insert(store_->get(key(rank)));
    return static_cast<int>(values.size()) == options_.size;
  }

  // The communicator is made at the first sum, on the device of its tensor, whatever this
  // thread's current one.
  void ConnectNccl() {
    auto nccl_options = c10d::ProcessGroupNCCL::Options::create();
    nccl_options->timeout = Milliseconds(options_.timeout);
    nccl_ = c10::make_intrusive<c10d::ProcessGroupNCCL>(
        c10::make_intrusive<c10d::PrefixStore>("nccl", store_), options_.rank, options_.size,
        std::move(nccl_options));
  }

  // Newer LibTorch aborts what a group has under way when it is dropped, and the host has not
  // waited for the device: so each first waits until its own last sum is done, and then for
  // the others. By the store and not by a sum, which would meet another one of a learner that
  // goes on; and not for long, as that one waits for our connections to close.
  void LeaveTogether() {
    const auto done = [](int rank) { return absl::StrCat("done/", rank); };
    const MonotonicTime deadline = MonotonicTime::Now() + kLeave;
    try {
      while (!last_on_device_->isCompleted()) {
        if (MonotonicTime::Now() >= deadline) return;
        absl::SleepFor(kLook);
      }
      store_->add(done(options_.rank), 1);
      for (int rank = 0; rank < options_.size; ++rank)
        while (!store_->check({done(rank)})) {
          if (MonotonicTime::Now() >= deadline) return;
          absl::SleepFor(kLook);
        }
    } catch (const std::exception&) {
      // The first, which serves the store, has gone: it had heard all, or waits for none.
    }
  }
#endif

  // Takes down the connections, so that those who wait for us learn at once; then finds
  // out who is left, by whom the store still hears from.
  absl::Status Lost(const std::string& reason) {
    gloo_.reset();
#ifdef USE_C10D_NCCL
    last_on_device_.reset();
    nccl_.reset();
#endif
    return absl::UnavailableError(absl::StrCat(Missing(), " of ", options_.size,
                                               " learners; learner ", options_.rank,
                                               " cannot go on without: ", reason));
  }

  std::string Missing() {
    std::vector<bool> heard(options_.size, false);
    heard[options_.rank] = true;
    try {
      RollCall(heard);
    } catch (const std::exception&) {
      // The first, which serves the store, has gone; it heard the others before it did.
      if (!heard[0]) return "lost learner 0";
    }
    std::vector<int> missing;
    for (int rank = 0; rank < options_.size; ++rank)
      if (!heard[rank]) missing.push_back(rank);
    if (missing.empty()) return "lost the connection to one";
    return absl::StrCat("lost learner ", absl::StrJoin(missing, ", "));
  }

  void RollCall(std::vector<bool>& heard) {
    store_->add(Left(options_.rank), 1);
    const MonotonicTime deadline = MonotonicTime::Now() + kRollCall;
    for (int rank = 0; rank < options_.size; ++rank)
      while (!heard[rank] && !(heard[rank] = store_->check({Left(rank)})) &&
             MonotonicTime::Now() < deadline && !stop_requested())
        absl::SleepFor(kLook);
    // Those who noticed later than we did still ask our store.
    while (options_.rank == 0 && MonotonicTime::Now() < deadline + kRollCall && !stop_requested())
      absl::SleepFor(kLook);
  }

  const C10dOptions options_;
  const StorePtr store_;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo_;  // Null once one is lost.
  bool transport_known_ = false;                     // Of tensors on GPUs.
#ifdef USE_C10D_NCCL
  c10::intrusive_ptr<c10d::ProcessGroupNCCL> nccl_;  // Null where learners share a device.
  // The newest sum over NCCL; null before the first. Goes before its group.
  c10::intrusive_ptr<c10d::Work> last_on_device_;
#endif
  absl::Status failed_;
};

StorePtr OpenStore(const C10dOptions& options, const Endpoint& endpoint, absl::Duration timeout) {
  c10d::TCPStoreOptions store;
  store.port = static_cast<std::uint16_t>(endpoint.port);
  store.isServer = options.rank == 0;
  store.numWorkers = static_cast<std::size_t>(options.size);
  store.waitWorkers = false;
  store.timeout = Milliseconds(timeout);
  return c10::make_intrusive<c10d::TCPStore>(endpoint.host, store);
}

// The store of a group that this rank is not in yet; null where it is there and this rank
// has been in it, in an earlier life: the others are about to notice.
StorePtr EnterStore(const C10dOptions& options, const Endpoint& endpoint) {
  StorePtr store = OpenStore(options, endpoint, kAttempt);
  store->setTimeout(Milliseconds(options.join_timeout));
  return store->add(Present(options.rank), 1) == 1 ? store : StorePtr();
}

absl::Status WaitForAll(const C10dOptions& options, c10d::Store& store, MonotonicTime deadline) {
  for (int rank = 0; rank < options.size;) {
    if (store.check({Present(rank)})) {
      ++rank;
      continue;
    }
    if (options.stop_requested && options.stop_requested())
      return absl::CancelledError("stopped while waiting for the other learners");
    if (MonotonicTime::Now() >= deadline)
      return absl::UnavailableError(absl::StrCat("learner ", rank, " of ", options.size,
                                                 " did not come to ", options.address, " within ",
                                                 absl::FormatDuration(options.join_timeout),
                                                 "; learner ", options.rank, " waited for it"));
    absl::SleepFor(kLook);
  }
  return absl::OkStatus();
}

// gloo writes to a learner that has just died as to any other, and looks at the error.
void IgnoreBrokenPipes() {
  struct sigaction now;
  if (sigaction(SIGPIPE, nullptr, &now) == 0 && now.sa_handler == SIG_DFL)
    std::signal(SIGPIPE, SIG_IGN);
}

c10::intrusive_ptr<c10d::ProcessGroupGloo> ConnectGloo(const C10dOptions& options,
                                                       const Endpoint& endpoint,
                                                       const StorePtr& store) {
  using c10d::ProcessGroupGloo;
  auto gloo = ProcessGroupGloo::Options::create(Milliseconds(options.timeout));
  const bool loopback = endpoint.host == "localhost" || endpoint.host.rfind("127.", 0) == 0;
  gloo->devices.push_back(loopback ? ProcessGroupGloo::createDeviceForHostname("127.0.0.1")
                                   : ProcessGroupGloo::createDefaultDevice());
  gloo->threads = 1;
  return c10::make_intrusive<ProcessGroupGloo>(
      c10::make_intrusive<c10d::PrefixStore>("gloo", store), options.rank, options.size,
      std::move(gloo));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Collective>> JoinC10d(const C10dOptions& options) {
  CADRE_ASSIGN_OR_RETURN(const Endpoint endpoint, ParseEndpoint(options.address));
  CADRE_CHECK(options.rank >= 0 && options.rank < options.size);
  IgnoreBrokenPipes();
  const MonotonicTime deadline = MonotonicTime::Now() + options.join_timeout;
  std::string reason = "the learners that were there before have not ended";
  while (true) {
    try {
      if (StorePtr store = EnterStore(options, endpoint); store.defined()) {
        CADRE_RETURN_IF_ERROR(WaitForAll(options, *store, deadline));
        auto gloo = ConnectGloo(options, endpoint, store);
        return std::make_unique<C10dCollective>(options, std::move(store), std::move(gloo));
      }
    } catch (const std::exception& error) {
      reason = ReasonOf(error);
    }
    if (options.stop_requested && options.stop_requested())
      return absl::CancelledError("stopped while joining the other learners");
    if (MonotonicTime::Now() >= deadline)
      return absl::UnavailableError(absl::StrCat(
          "learner ", options.rank, " of ", options.size, " could not join the others at ",
          options.address, " within ", absl::FormatDuration(options.join_timeout), ": ", reason));
    absl::SleepFor(kRetry);
  }
}

}  // namespace cadre
