#include "common/kernels/kernels.h"

#include <vector>

namespace cadre::kernels {

namespace baseline {
extern const KernelTable kTable;
}
#if defined(__x86_64__)
namespace avx2 {
extern const KernelTable kTable;
}
namespace avx512 {
extern const KernelTable kTable;
}
#endif

namespace {

// Best first.
const std::vector<const KernelTable*>& SupportedTables() {
  static const auto* const tables = [] {
    auto* list = new std::vector<const KernelTable*>;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
      list->push_back(&avx512::kTable);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
      list->push_back(&avx2::kTable);
#endif
    list->push_back(&baseline::kTable);
    return list;
  }();
  return *tables;
}

}  // namespace

const KernelTable& Best() { return *SupportedTables().front(); }

const KernelTable* Supported(int index) {
  const auto& tables = SupportedTables();
  return index < static_cast<int>(tables.size()) ? tables[index] : nullptr;
}

}  // namespace cadre::kernels
