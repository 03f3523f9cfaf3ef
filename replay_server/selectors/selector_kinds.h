// The kinds of selectors, each in its file. For MakeSelector alone, which checks the
// arguments.
#pragma once

#include <cstdint>
#include <memory>

#include "replay_server/selectors/selector.h"

namespace cadre {

std::unique_ptr<Selector> MakeUniformSelector(int64_t capacity);
std::unique_ptr<Selector> MakePrioritizedSelector(double alpha, int64_t capacity);

enum class InsertOrder { kFifo, kLifo };
std::unique_ptr<Selector> MakeOrderedSelector(InsertOrder order, int64_t capacity);

enum class HeapTop { kHighest, kLowest };
std::unique_ptr<Selector> MakeHeapSelector(HeapTop top, int64_t capacity);

}  // namespace cadre
