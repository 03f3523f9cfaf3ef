#include "learner/c10d_collective.h"

#include <chrono>
#include <exception>
#include <utility>
#include <vector>

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#ifdef USE_C10D_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/check.h"
#include "common/status_macros.h"

namespace cadre {
namespace {

// Between two looks whether an earlier group has ended.
constexpr absl::Duration kRetry = absl::Milliseconds(200);
// A single attempt to reach the store, so that a stop is noticed in between.
constexpr absl::Duration kAttempt = absl::Seconds(2);
// How long survivors of a learner wait to hear from each other who is left.
constexpr absl::Duration kRollCall = absl::Seconds(1);
// c10d's stores cannot be waited for and given up before their time: they are looked at.
constexpr absl::Duration kLook = absl::Milliseconds(20);

std::chrono::milliseconds Milliseconds(absl::Duration duration) {
  return absl::ToChronoMilliseconds(duration);
}

// What LibTorch's exceptions say, without the stack.
std::string Reason(const std::exception& error) {
  std::string text = error.what();
  if (const auto* torch_error = dynamic_cast<const c10::Error*>(&error))
    text = torch_error->what_without_backtrace();
  return text.substr(0, text.find('\n'));
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

  int rank() const override { return options_.rank; }
  int size() const override { return options_.size; }

  absl::Status Sum(torch::Tensor values) override {
    CADRE_CHECK(values.is_contiguous());
    if (!failed_.ok()) return failed_;
    try {
      AllReduce(values);
      return absl::OkStatus();
    } catch (const std::exception& error) {
      failed_ = Lost(Reason(error));
      return failed_;
    }
  }

 private:
  void AllReduce(torch::Tensor& values) {
#ifdef USE_C10D_NCCL
    if (values.is_cuda()) {
      if (!nccl_.defined()) {
        auto nccl_options = c10d::ProcessGroupNCCL::Options::create();
        nccl_options->timeout = Milliseconds(options_.timeout);
        nccl_ = c10::make_intrusive<c10d::ProcessGroupNCCL>(
            c10::make_intrusive<c10d::PrefixStore>("nccl", store_), options_.rank, options_.size,
            std::move(nccl_options));
      }
      std::vector<torch::Tensor> tensors{values};
      nccl_->allreduce(tensors)->wait();
      return;
    }
#endif
    std::vector<torch::Tensor> tensors{values.cpu()};
    gloo_->allreduce(tensors)->wait();
    if (!tensors[0].is_same(values)) values.copy_(tensors[0]);
  }

  // Takes down the connections, so that those who wait for us learn at once; then finds
  // out who is left, by whom the store still hears from.
  absl::Status Lost(const std::string& reason) {
    gloo_.reset();
#ifdef USE_C10D_NCCL
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
    const absl::Time deadline = absl::Now() + kRollCall;
    for (int rank = 0; rank < options_.size; ++rank)
      while (!heard[rank] && !(heard[rank] = store_->check({Left(rank)})) && absl::Now() < deadline)
        absl::SleepFor(kLook);
    // Those who noticed later than we did still ask our store.
    if (options_.rank == 0) absl::SleepFor(deadline + kRollCall - absl::Now());
  }

  const C10dOptions options_;
  const StorePtr store_;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo_;  // Null once one is lost.
#ifdef USE_C10D_NCCL
  c10::intrusive_ptr<c10d::ProcessGroupNCCL> nccl_;  // Made when first needed.
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

absl::Status WaitForAll(const C10dOptions& options, c10d::Store& store, absl::Time deadline) {
  for (int rank = 0; rank < options.size;) {
    if (store.check({Present(rank)})) {
      ++rank;
      continue;
    }
    if (options.stop_requested && options.stop_requested())
      return absl::CancelledError("stopped while waiting for the other learners");
    if (absl::Now() >= deadline)
      return absl::UnavailableError(absl::StrCat("learner ", rank, " of ", options.size,
                                                 " did not come to ", options.address, " within ",
                                                 absl::FormatDuration(options.join_timeout),
                                                 "; learner ", options.rank, " waited for it"));
    absl::SleepFor(kLook);
  }
  return absl::OkStatus();
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
  const absl::Time deadline = absl::Now() + options.join_timeout;
  std::string reason = "the learners that were there before have not ended";
  while (true) {
    try {
      if (StorePtr store = EnterStore(options, endpoint); store.defined()) {
        CADRE_RETURN_IF_ERROR(WaitForAll(options, *store, deadline));
        auto gloo = ConnectGloo(options, endpoint, store);
        return std::make_unique<C10dCollective>(options, std::move(store), std::move(gloo));
      }
    } catch (const std::exception& error) {
      reason = Reason(error);
    }
    if (options.stop_requested && options.stop_requested())
      return absl::CancelledError("stopped while joining the other learners");
    if (absl::Now() >= deadline)
      return absl::UnavailableError(absl::StrCat(
          "learner ", options.rank, " of ", options.size, " could not join the others at ",
          options.address, " within ", absl::FormatDuration(options.join_timeout), ": ", reason));
    absl::SleepFor(kRetry);
  }
}

}  // namespace cadre
