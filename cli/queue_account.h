// The replay server's account of a run: what became of every rollout. Pure.
#pragma once

#include <string>

#include "proto/experience.pb.h"

namespace cadre {

// One line for people: appended = acknowledged + dropped + leased + waiting.
std::string QueueAccountLine(const v1::QueueInfo& queue);

// Every field of the message under its own name.
std::string QueueAccountJson(const v1::QueueInfo& queue);

}  // namespace cadre
