// The servers' account of a run: what became of every rollout, and of every gradient. Pure.
#pragma once

#include <string>

#include "google/protobuf/message.h"
#include "proto/experience.pb.h"
#include "proto/parameters.pb.h"

namespace cadre {

// One line for people: appended = acknowledged + dropped + leased + waiting.
std::string QueueAccountLine(const v1::QueueInfo& queue);

// All queues of a server as one, under the name of a single one.
v1::QueueInfo SumOfQueues(const v1::InfoResponse& info);

// One line for people: what was inserted, and how often it was sampled.
std::string TableAccountLine(const v1::TableInfo& table);

// One line for people: pushed = applied + refused + duplicates + broken.
std::string GradientAccountLine(const v1::ModelInfo& model);

// Every field of a QueueInfo, TableInfo or ModelInfo under its own name.
std::string AccountJson(const google::protobuf::Message& info);

}  // namespace cadre
