// Named tensors in plain memory, and the safetensors file format for them
// (https://huggingface.co/docs/safetensors): an 8-byte little-endian length, a
// JSON header of that many bytes, and the tensors' bytes. Pure: bytes in, bytes
// out; knows neither files nor LibTorch.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "proto/experience.pb.h"

namespace cadre {

struct NamedTensor {
  std::string name;
  v1::DType dtype = v1::DTYPE_UNSPECIFIED;
  std::vector<int64_t> shape;  // Empty for a scalar.
  std::string bytes;           // Dense, little-endian, C order.
};

// Tensors in the order in which they were added; names are unique.
class TensorMap {
 public:
  // Copies `values`. The shape must hold exactly as many, and the name be new:
  // both are ours to get right, and checked.
  template <typename T>
  void Add(std::string name, std::vector<int64_t> shape, absl::Span<const T> values);
  template <typename T>
  void AddScalar(std::string name, T value) {
    Add<T>(std::move(name), {}, absl::Span<const T>(&value, 1));
  }
  void Add(NamedTensor tensor);

  // Null where there is none of that name.
  const NamedTensor* Find(absl::string_view name) const;

  // Copies a tensor out. NOT_FOUND where there is none, FAILED_PRECONDITION where
  // its dtype or its number of values differs; the shape is the caller's matter.
  template <typename T>
  absl::Status Read(absl::string_view name, absl::Span<T> values) const;
  template <typename T>
  absl::StatusOr<T> ReadScalar(absl::string_view name) const {
    T value{};
    absl::Status status = Read<T>(name, absl::Span<T>(&value, 1));
    if (!status.ok()) return status;
    return value;
  }

  const std::vector<NamedTensor>& tensors() const { return tensors_; }
  bool empty() const { return tensors_.empty(); }

 private:
  std::vector<NamedTensor> tensors_;
  std::map<std::string, size_t, std::less<>> index_;
};

struct Safetensors {
  TensorMap tensors;
  std::map<std::string, std::string> metadata;  // The header's `__metadata__`.
};

// Widest dtypes come first, so that every tensor is aligned; otherwise in order.
// Headers above 100 MB, which other readers refuse, are RESOURCE_EXHAUSTED.
absl::StatusOr<std::string> EncodeSafetensors(const TensorMap& tensors,
                                              const std::map<std::string, std::string>& metadata);

// Strict: every byte of the data belongs to exactly one tensor. Whatever is wrong
// is DATA_LOSS in one line that begins with `file_name`.
absl::StatusOr<Safetensors> DecodeSafetensors(absl::string_view bytes, absl::string_view file_name);

}  // namespace cadre
