#include "actor/actor_index.h"

namespace cadre {

int32_t ActorIndexOf(absl::string_view name, int32_t learners, int32_t learner) {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a.
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  hash = (hash ^ (hash >> 32)) * 0xd6e8feb86659fd93;  // Its low bits are weak.
  const auto index = static_cast<int32_t>((hash >> 32) & 0x3fffffff);
  return learner < 0 ? index : index - index % learners + learner;
}

}  // namespace cadre
