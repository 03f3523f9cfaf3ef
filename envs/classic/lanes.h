// How the classic tasks step many environments at once: their numbers are copied into lanes, one
// array for each number, plain loops over the lanes do the arithmetic, and the compiler turns those
// into vector instructions. Every lane gets the same bits as it would alone, on every processor:
// additions, multiplications and divisions are never contracted or reordered, and sine and cosine
// are made of them.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/types/span.h"
#include "common/check.h"

// A function of which there is a version for each of these instruction sets; the processor's best
// is picked when the program is loaded, which ThreadSanitizer does not survive.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define CADRE_VECTOR_VERSIONS __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CADRE_VECTOR_VERSIONS
#endif

// For what loops over lanes call: one that is not inlined would keep them from vectorising.
#define CADRE_LANE_INLINE [[gnu::always_inline]] inline

namespace cadre {

inline constexpr size_t kLanes = 64;  // At most, in one go.

struct SineCosine {
  double sine = 0, cosine = 0;
};

// Within two units in the last place for |x| up to a thousand, three up to a million; beyond, the
// error grows.
// Reduction to [-pi/4, pi/4] by Cody and Waite 1980; the polynomials are those of Sun's fdlibm
// (k_sin.c and k_cos.c), whose coefficients these are.
CADRE_LANE_INLINE SineCosine SinCos(double x) {
  constexpr double kTwoOverPi = 0x1.45f306dc9c883p-1;
  constexpr double kRound = 0x1.8p52;  // Adding it leaves an integer in the low bits.
  // pi/2 in three parts; the first two have 33 bits, so that their products with it are exact.
  constexpr double kHalfPi1 = 0x1.921fb544p0;
  constexpr double kHalfPi2 = 0x1.0b4611a6p-34;
  constexpr double kHalfPi3 = 0x1.3198a2e037073p-69;
  const double shifted = x * kTwoOverPi + kRound;
  const auto quarters = std::bit_cast<uint64_t>(shifted);
  const double turns = shifted - kRound;
  const double r = ((x - turns * kHalfPi1) - turns * kHalfPi2) - turns * kHalfPi3;

  const double z = r * r;
  const double sine =
      r + r * z *
              (-1.66666666666666324348e-01 +
               z * (8.33333333332248946124e-03 +
                    z * (-1.98412698298579493134e-04 +
                         z * (2.75573137070700676789e-06 + z * (-2.50507602534068634195e-08 +
                                                                z * 1.58969099521155010221e-10)))));
  const double tail =
      z * z *
      (4.16666666666666019037e-02 +
       z * (-1.38888888888741095749e-03 +
            z * (2.48015872894767294178e-05 +
                 z * (-2.75573143513906633035e-07 +
                      z * (2.08757232129817482790e-09 + z * -1.13596475577881948265e-11)))));
  const double half = 0.5 * z;
  const double rest = 1.0 - half;
  const double cosine = rest + (((1.0 - rest) - half) + tail);

  // Odd quarters swap the two, the sine changes its sign in the second half of a turn and the
  // cosine a quarter earlier. In integers: no branch, and no choice that would not vectorise.
  const uint64_t swap = 0 - (quarters & 1);
  const auto s = std::bit_cast<uint64_t>(sine), c = std::bit_cast<uint64_t>(cosine);
  const uint64_t flip_sine = (quarters & 2) << 62, flip_cosine = ((quarters + 1) & 2) << 62;
  return {std::bit_cast<double>(((s & ~swap) | (c & swap)) ^ flip_sine),
          std::bit_cast<double>(((c & ~swap) | (s & swap)) ^ flip_cosine)};
}

CADRE_LANE_INLINE double Sin(double x) { return SinCos(x).sine; }
CADRE_LANE_INLINE double Cos(double x) { return SinCos(x).cosine; }

// std::clamp, which the compiler does not always turn into a choice without branches.
template <typename Real>
CADRE_LANE_INLINE Real Clamped(Real value, Real low, Real high) {
  value = value < low ? low : value;
  return value > high ? high : value;
}

// Writes lane `lane` as row `row` of `observations` [n, kElements] float32.
template <typename Real, size_t kElements>
void WriteLane(const Real (&lanes)[kElements][kLanes], size_t lane, size_t row,
               absl::Span<std::byte> observations) {
  float values[kElements];
  for (size_t k = 0; k < kElements; ++k) values[k] = static_cast<float>(lanes[k][lane]);
  CADRE_CHECK(observations.size() >= (row + 1) * sizeof(values));
  std::memcpy(observations.data() + row * sizeof(values), values, sizeof(values));
}

}  // namespace cadre
