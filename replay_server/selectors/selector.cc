#include "replay_server/selectors/selector.h"

#include "common/check.h"
#include "replay_server/selectors/selector_kinds.h"

namespace cadre {

std::unique_ptr<Selector> MakeSelector(const SelectorConfig& config, int64_t capacity) {
  CADRE_CHECK(capacity >= 1 && capacity <= kMaxSelectorCapacity);
  switch (config.kind_case()) {
    case SelectorConfig::kUniform:
      return MakeUniformSelector(capacity);
    case SelectorConfig::kPrioritized:
      return MakePrioritizedSelector(config.prioritized().alpha(), capacity);
    case SelectorConfig::kFifo:
      return MakeOrderedSelector(InsertOrder::kFifo, capacity);
    case SelectorConfig::kLifo:
      return MakeOrderedSelector(InsertOrder::kLifo, capacity);
    case SelectorConfig::kMaxHeap:
      return MakeHeapSelector(HeapTop::kHighest, capacity);
    case SelectorConfig::kMinHeap:
      return MakeHeapSelector(HeapTop::kLowest, capacity);
    case SelectorConfig::KIND_NOT_SET:
      break;
  }
  CADRE_CHECK(false);  // Its caller has put in the default.
  return nullptr;
}

}  // namespace cadre
