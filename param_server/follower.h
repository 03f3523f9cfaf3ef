// Makes a store the copy of another parameter server's: what a read-only replica does.
// Follows each model that the other one has, and the state of its run, through Watch
// streams that connect again by themselves; while the other one is away the store keeps
// what it has. Versions never go back here: of a server that lost some, the next newer one
// is taken. Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "param_server/parameter_metrics.h"
#include "param_server/parameter_store.h"
#include "proto/parameters.grpc.pb.h"
#include "rpc/client/call_group.h"
#include "rpc/client/parameter_client.h"

namespace cadre {

class Follower {
 public:
  // Follows the server at `upstream` for the run of `store`. Both must outlive it.
  // INVALID_ARGUMENT for what is not an address.
  static absl::StatusOr<std::unique_ptr<Follower>> Create(const std::string& upstream,
                                                          ParameterStore* store,
                                                          ParameterMetrics* metrics);
  ~Follower();  // Ends all streams, and joins.
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

 private:
  Follower(const std::string& upstream, const std::shared_ptr<grpc::Channel>& channel,
           ParameterStore* store, ParameterMetrics* metrics);
  void Discover();  // The thread: asks now and then which models there are.
  void Follow(const std::string& model);
  void Take(const ParametersPtr& parameters, v1::RunState run_state);

  const std::string upstream_;
  ParameterStore* const store_;
  ParameterMetrics* const metrics_;
  const std::unique_ptr<v1::ParameterService::Stub> stub_;
  CallGroup calls_;
  // By model; of the thread alone, until it is joined.
  absl::flat_hash_map<std::string, std::unique_ptr<RemoteParameterSource>> sources_;
  std::thread thread_;
};

}  // namespace cadre
