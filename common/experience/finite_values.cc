#include "common/experience/finite_values.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/experience/experience_spec.h"

namespace cadre {
namespace {

template <typename Float>
struct Exponent;
template <>
struct Exponent<float> {
  using Bits = uint32_t;
  static constexpr Bits kMask = 0x7f80'0000;
};
template <>
struct Exponent<double> {
  using Bits = uint64_t;
  static constexpr Bits kMask = 0x7ff0'0000'0000'0000;
};

// A number is finite unless its exponent is all ones.
template <typename Float, size_t kCount>
bool Finite(const std::byte* bytes) {
  using Bits = typename Exponent<Float>::Bits;
  Bits bad = 0;
  for (size_t i = 0; i < kCount; ++i) {
    Bits bits;
    std::memcpy(&bits, bytes + i * sizeof bits, sizeof bits);
    bad |= static_cast<Bits>((bits & Exponent<Float>::kMask) == Exponent<Float>::kMask);
  }
  return bad == 0;
}

// Of whole values, at any address.
template <typename Float>
bool AllFiniteIn(absl::Span<const std::byte> bytes) {
  constexpr size_t kBlock = 256;  // A constant count is what compilers vectorise.
  size_t i = 0;
  for (; i + kBlock * sizeof(Float) <= bytes.size(); i += kBlock * sizeof(Float))
    if (!Finite<Float, kBlock>(bytes.data() + i)) return false;
  for (; i < bytes.size(); i += sizeof(Float))
    if (!Finite<Float, 1>(bytes.data() + i)) return false;
  return true;
}

template <typename Float>
bool AllFiniteIn(const PiecewiseBytes& pieces) {
  int64_t begin = 0;  // Where the piece starts in the column.
  for (const absl::Span<const std::byte> piece : pieces) {
    // What is left of a value that began in an earlier piece, which looked at it.
    const size_t head =
        std::min(piece.size(), (sizeof(Float) - begin % sizeof(Float)) % sizeof(Float));
    const size_t whole = (piece.size() - head) / sizeof(Float) * sizeof(Float);
    if (!AllFiniteIn<Float>(piece.subspan(head, whole))) return false;
    if (head + whole < piece.size()) {
      std::byte value[sizeof(Float)];
      CopyBytes(pieces, begin + static_cast<int64_t>(head + whole), sizeof value, value);
      if (!Finite<Float, 1>(value)) return false;
    }
    begin += static_cast<int64_t>(piece.size());
  }
  return true;
}

template <typename Float>
absl::Status Check(const v1::ColumnSpec& column, const PiecewiseBytes& pieces) {
  if (AllFiniteIn<Float>(pieces)) return absl::OkStatus();
  const int64_t elements = RowElements(column);
  for (int64_t i = 0;; ++i) {
    Float value;
    CopyBytes(pieces, i * static_cast<int64_t>(sizeof value), sizeof value,
              reinterpret_cast<std::byte*>(&value));
    if (std::isfinite(value)) continue;
    const std::string where = elements == 1 ? "" : absl::StrCat(", value ", i % elements);
    return absl::InvalidArgumentError(absl::StrCat("column '", column.name(), "', row ",
                                                   i / elements, where, " is ", value,
                                                   "; wanted a finite number"));
  }
}

}  // namespace

bool AllFinite(absl::Span<const float> values) {
  return AllFiniteIn<float>(absl::MakeConstSpan(reinterpret_cast<const std::byte*>(values.data()),
                                                values.size() * sizeof(float)));
}

absl::Status CheckFinite(const v1::ColumnSpec& column, const PiecewiseBytes& bytes) {
  if (column.dtype() == v1::DTYPE_FLOAT32) return Check<float>(column, bytes);
  if (column.dtype() == v1::DTYPE_FLOAT64) return Check<double>(column, bytes);
  return absl::OkStatus();
}

absl::Status CheckFiniteRollout(const v1::ExperienceSpec& spec,
                                absl::Span<const PiecewiseBytes> columns,
                                absl::Span<const v1::Episode> episodes) {
  for (size_t i = 0; i < columns.size(); ++i) {
    absl::Status status = CheckFinite(spec.columns(static_cast<int>(i)), columns[i]);
    if (!status.ok()) return status;
  }
  for (size_t i = 0; i < episodes.size(); ++i)
    if (!std::isfinite(episodes[i].total_reward()) || episodes[i].length() < 0)
      return absl::InvalidArgumentError(absl::StrCat(
          "episode ", i, " has a total reward of ", episodes[i].total_reward(), " and length ",
          episodes[i].length(), "; wanted finite numbers, and 0 steps or more"));
  return absl::OkStatus();
}

}  // namespace cadre
