#include "policy/networks/layout.h"

#include <utility>

#include "absl/strings/string_view.h"

namespace cadre {
namespace {

uint64_t Fnv1a(uint64_t hash, absl::string_view bytes) {
  for (unsigned char byte : bytes) hash = (hash ^ byte) * 0x100000001B3ull;
  return hash;
}

}  // namespace

int64_t ParameterLayout::Add(std::string name, std::vector<int64_t> shape) {
  int64_t size = 1;
  for (int64_t dimension : shape) size *= dimension;
  const int64_t offset = size_;
  blocks_.push_back({std::move(name), std::move(shape), offset, size});
  size_ += size;
  return offset;
}

uint64_t ParameterLayout::fingerprint() const {
  uint64_t hash = 0xCBF29CE484222325ull;
  for (const ParameterBlock& block : blocks_) {
    hash = Fnv1a(hash, block.name);
    hash = Fnv1a(hash, ":");
    for (int64_t dimension : block.shape) hash = Fnv1a(hash, std::to_string(dimension) + ",");
    hash = Fnv1a(hash, ";");
  }
  return hash;
}

}  // namespace cadre
