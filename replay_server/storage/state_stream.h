// Plain values to and from the bytes of a checkpoint, in the order in which they are
// put: little-endian, as they stand in memory. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace cadre {

using StateSink = std::function<absl::Status(absl::Span<const std::byte> bytes)>;
using StateSource = std::function<absl::Status(absl::Span<std::byte> bytes)>;

// After the first error nothing more is written.
class StateWriter {
 public:
  explicit StateWriter(StateSink sink) : sink_(std::move(sink)) {}

  template <typename T>
  void Put(const T& value) {
    PutArray(&value, 1);
  }
  template <typename T>
  void PutArray(const T* values, int64_t count) {
    static_assert(std::is_trivially_copyable_v<T>);
    PutBytes({reinterpret_cast<const std::byte*>(values), static_cast<size_t>(count) * sizeof(T)});
  }
  template <typename T>
  void PutVector(const std::vector<T>& values) {
    Put<int64_t>(static_cast<int64_t>(values.size()));
    PutArray(values.data(), static_cast<int64_t>(values.size()));
  }
  void PutString(absl::string_view text) {
    Put<int64_t>(static_cast<int64_t>(text.size()));
    PutArray(text.data(), static_cast<int64_t>(text.size()));
  }

  // Small ones are collected. Flush() after the last.
  void PutBytes(absl::Span<const std::byte> bytes) {
    if (bytes.size() >= kPiece) {
      WriteBuffer();
      if (status_.ok()) status_ = sink_(bytes);
      return;
    }
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
    if (buffer_.size() >= kPiece) WriteBuffer();
  }
  absl::Status Flush() {
    WriteBuffer();
    return status_;
  }

 private:
  static constexpr size_t kPiece = size_t{1} << 18;

  void WriteBuffer() {
    if (status_.ok() && !buffer_.empty()) status_ = sink_(buffer_);
    buffer_.clear();
  }

  const StateSink sink_;
  std::vector<std::byte> buffer_;
  absl::Status status_;
};

// After the first error every value is zero.
class StateReader {
 public:
  explicit StateReader(StateSource source) : source_(std::move(source)) {}

  template <typename T>
  T Get() {
    T value{};
    GetArray(&value, 1);
    return status_.ok() ? value : T{};
  }
  template <typename T>
  void GetArray(T* values, int64_t count) {
    static_assert(std::is_trivially_copyable_v<T>);
    GetBytes({reinterpret_cast<std::byte*>(values), static_cast<size_t>(count) * sizeof(T)});
  }
  // DATA_LOSS where there are more than `most`.
  template <typename T>
  std::vector<T> GetVector(int64_t most) {
    std::vector<T> values(GetCount(most));
    GetArray(values.data(), static_cast<int64_t>(values.size()));
    return values;
  }
  std::string GetString(int64_t most) {
    std::string text(GetCount(most), '\0');
    GetArray(text.data(), static_cast<int64_t>(text.size()));
    return text;
  }
  // A number from 0 to `most`.
  int64_t GetCount(int64_t most) {
    const auto count = Get<int64_t>();
    Check(count >= 0 && count <= most);
    return status_.ok() ? count : 0;
  }
  void GetBytes(absl::Span<std::byte> bytes) {
    if (status_.ok() && !bytes.empty()) status_ = source_(bytes);
  }

  // DATA_LOSS unless what was read makes sense.
  bool Check(bool sense) {
    if (status_.ok() && !sense) status_ = absl::DataLossError("the saved state contradicts itself");
    return status_.ok();
  }
  // Its first error, if `status` is one.
  void Fail(absl::Status status) {
    if (status_.ok()) status_ = std::move(status);
  }
  const absl::Status& status() const { return status_; }

 private:
  const StateSource source_;
  absl::Status status_;
};

}  // namespace cadre
