// Where each named parameter stands in the flat vector that holds a whole model.
// One optimiser step, clip, publication or checkpoint is then an operation on one
// vector, whatever the network. Plain data; both ends of a publication compare
// fingerprints.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cadre {

struct ParameterBlock {
  std::string name;            // "policy.0.weight"
  std::vector<int64_t> shape;  // [out, in] for weights, as other tools have it.
  int64_t offset;              // First float in the flat vector.
  int64_t size;                // Product of the shape.
};

class ParameterLayout {
 public:
  // Appends a block and returns its offset.
  int64_t Add(std::string name, std::vector<int64_t> shape);

  const std::vector<ParameterBlock>& blocks() const { return blocks_; }
  int64_t size() const { return size_; }  // P, floats.

  // FNV-1a over names and shapes: differs wherever the vector means something else.
  uint64_t fingerprint() const;

 private:
  std::vector<ParameterBlock> blocks_;
  int64_t size_ = 0;
};

}  // namespace cadre
