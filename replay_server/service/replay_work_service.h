// How long a replay server, and those who come to it, have waited. Every reaction returns at
// once.
#pragma once

#include <utility>

#include "proto/work.grpc.pb.h"
#include "replay_server/service/experience_directory.h"

namespace cadre {

// Of all queues and tables together.
v1::ReplayWork ReplayWorkOf(const ExperienceDirectory& directory);

class ReplayWorkService final : public v1::ReplayWorkService::CallbackService {
 public:
  explicit ReplayWorkService(ExperienceDirectory directory) : directory_(std::move(directory)) {}

  grpc::ServerUnaryReactor* GetReplayWork(grpc::CallbackServerContext* context,
                                          const v1::ReplayWorkRequest* request,
                                          v1::ReplayWork* response) override;

 private:
  const ExperienceDirectory directory_;
};

}  // namespace cadre
