// The replay server's account of a run: what became of every rollout. Pure.
#pragma once

#include <string>

#include "google/protobuf/message.h"
#include "proto/experience.pb.h"

namespace cadre {

// One line for people: appended = acknowledged + dropped + leased + waiting.
std::string QueueAccountLine(const v1::QueueInfo& queue);

// One line for people: what was inserted, and how often it was sampled.
std::string TableAccountLine(const v1::TableInfo& table);

// Every field of a QueueInfo or TableInfo under its own name.
std::string AccountJson(const google::protobuf::Message& info);

}  // namespace cadre
