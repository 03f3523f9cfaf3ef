// Every table that this processor runs, against plain loops in float64.
#include "common/kernels/kernels.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "tests/kernels/every_table.h"

namespace cadre::kernels {
namespace {

constexpr double kUnitRoundoff = 0x1.0p-24;

class KernelsTest : public EveryTableTest {};
INSTANTIATE_FOR_EVERY_TABLE(KernelsTest);

TEST(KernelTablesTest, TheBestIsTheFirstAndTheBaselineIsAlwaysThere) {
  const std::vector<const KernelTable*> tables = Tables();
  ASSERT_FALSE(tables.empty());
  EXPECT_EQ(&Best(), tables.front());
  EXPECT_STREQ(tables.back()->name, "baseline");
}

// --- gemm ---

enum class Start { kZero, kBias, kAccumulate };

// Compares one product with the definition, element by element. A sum of P + 1 terms
// in any order is off by at most about (P + 2) unit roundoffs of the sum of their
// magnitudes (Higham 2002, eq. 3.5).
void CheckGemm(const KernelTable& table, int64_t m, int64_t n, int64_t p, bool transposed,
               Start start, Random& random) {
  const int64_t ldb = n + m % 3, ldc = n + p % 4;
  const StridedMatrix shape{nullptr, transposed ? 1 : p + n % 3, transposed ? m + n % 2 : 1};
  const std::vector<float> a =
      Normals((m - 1) * shape.row_stride + (p - 1) * shape.column_stride + 1, random);
  const std::vector<float> b = Normals((p - 1) * ldb + n, random);
  const std::vector<float> bias = Normals(n, random);
  std::vector<float> c(m * ldc, kCanary);
  const std::vector<float> before = Normals(m * n, random);
  if (start == Start::kAccumulate)
    for (int64_t i = 0; i < m; ++i) std::copy_n(&before[i * n], n, &c[i * ldc]);

  table.gemm(m, n, p, {a.data(), shape.row_stride, shape.column_stride}, b.data(), ldb, c.data(),
             ldc, start == Start::kBias ? bias.data() : nullptr, start == Start::kAccumulate);

  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double sum = start == Start::kBias         ? bias[j]
                   : start == Start::kAccumulate ? before[i * n + j]
                                                 : 0;
      double magnitude = std::abs(sum);
      for (int64_t k = 0; k < p; ++k) {
        const double term =
            static_cast<double>(a[i * shape.row_stride + k * shape.column_stride]) * b[k * ldb + j];
        sum += term;
        magnitude += std::abs(term);
      }
      ASSERT_NEAR(c[i * ldc + j], sum, static_cast<double>(p + 2) * kUnitRoundoff * magnitude)
          << m << " x " << n << " x " << p << " at " << i << ", " << j;
    }
    for (int64_t j = n; j < ldc; ++j) ASSERT_EQ(c[i * ldc + j], kCanary) << "wrote past row " << i;
  }
}

// The packed product against the plain one, which the definition was held against. Both
// add the terms of an element in the same order: the same bits.
void CheckPacked(const KernelTable& table, int64_t m, int64_t n, int64_t p, bool transposed,
                 Start start, Random& random) {
  const int64_t ldb = n + m % 3;
  const std::vector<float> a = Normals(m * p, random), b = Normals(p * ldb, random);
  const std::vector<float> bias = Normals(n, random);
  std::vector<float> turned(n * p);  // B^T, rows p apart.
  for (int64_t j = 0; j < n; ++j)
    for (int64_t k = 0; k < p; ++k) turned[j * p + k] = b[k * ldb + j];
  std::vector<float> plain = Normals(m * n, random), packed = plain;
  const float* offset = start == Start::kBias ? bias.data() : nullptr;
  const bool accumulate = start == Start::kAccumulate;
  table.gemm(m, n, p, {a.data(), p, 1}, b.data(), ldb, plain.data(), n, offset, accumulate);

  const int64_t size = table.packed_size(p, n);
  std::vector<float> b_packed(size + 1, kCanary);
  table.pack(p, n,
             transposed ? StridedMatrix{turned.data(), 1, p} : StridedMatrix{b.data(), ldb, 1},
             b_packed.data());
  ASSERT_EQ(b_packed[size], kCanary) << "packed past the end";
  ASSERT_EQ(std::count(b_packed.begin(), b_packed.end() - 1, kCanary), 0) << "a gap";
  table.gemm_packed(m, n, p, {a.data(), p, 1}, b_packed.data(), packed.data(), n, offset,
                    accumulate);
  ASSERT_EQ(packed, plain) << m << " x " << n << " x " << p;
}

constexpr Start kStarts[] = {Start::kZero, Start::kBias, Start::kAccumulate};

TEST_P(KernelsTest, GemmIsItsDefinitionForEverySmallShape) {
  Random random(1);
  int variant = 0;
  for (int64_t m = 1; m <= 40; ++m)
    for (int64_t n = 1; n <= 40; ++n)
      for (const int64_t p : {1, 2, 5, 16, 37}) {
        ++variant;
        CheckGemm(table(), m, n, p, variant % 2 == 0, kStarts[variant % 3], random);
      }
}

TEST_P(KernelsTest, GemmIsItsDefinitionForLayersAndDepthsBeyondABlock) {
  Random random(2);
  const int64_t shapes[][3] = {{256, 64, 4},  {256, 64, 64},  {64, 4, 256},  {1, 64, 64},
                               {8, 2, 64},    {3, 2, 1300},   {50, 35, 512}, {50, 35, 513},
                               {13, 70, 511}, {17, 33, 1025}, {130, 17, 3},  {129, 1, 700}};
  for (const auto& [m, n, p] : shapes)
    for (const bool transposed : {false, true})
      for (const Start start : kStarts) CheckGemm(table(), m, n, p, transposed, start, random);
}

TEST_P(KernelsTest, APackedMatrixGivesTheSameProductWhicheverWayItStood) {
  Random random(3);
  int variant = 0;
  for (const int64_t m : {1, 7, 64})
    for (int64_t n = 1; n <= 70; ++n)
      for (const int64_t p : {1, 4, 15, 16, 17, 50}) {
        ++variant;
        CheckPacked(table(), m, n, p, variant % 2 == 0, kStarts[variant % 3], random);
      }
  const int64_t shapes[][3] = {{33, 256, 256}, {5, 300, 400}, {3, 33, 1100}, {40, 2, 513}};
  for (const auto& [m, n, p] : shapes)
    for (const bool transposed : {false, true})
      for (const Start start : kStarts) CheckPacked(table(), m, n, p, transposed, start, random);
}

TEST_P(KernelsTest, GemmOfNoRowsDoesNothing) {
  float c = kCanary;
  const float one = 1;
  table().gemm(0, 1, 1, {&one, 1, 1}, &one, 1, &c, 1, nullptr, false);
  EXPECT_EQ(c, kCanary);
}

TEST_P(KernelsTest, GemmLetsNaNThrough) {
  // A zero times a NaN is a NaN; no shortcut may hide it.
  const std::vector<float> a = {0, 0}, b = {1, kNaN, 1, 1};
  std::vector<float> c(2);
  table().gemm(1, 2, 2, {a.data(), 2, 1}, b.data(), 2, c.data(), 2, nullptr, false);
  EXPECT_EQ(c[0], 0);
  EXPECT_TRUE(std::isnan(c[1]));
}

// --- sums and steps ---

TEST_P(KernelsTest, ColumnSumsAreAddedToWhatIsThere) {
  Random random(5);
  for (const int64_t m : {0, 1, 2, 9, 300})
    for (const int64_t n : {1, 2, 15, 16, 17, 64, 65}) {
      const std::vector<float> d = Normals(m * n, random);
      std::vector<float> out = Normals(n, random);
      const std::vector<float> before = out;
      table().column_sums(m, n, d.data(), out.data());
      for (int64_t j = 0; j < n; ++j) {
        double sum = before[j], magnitude = std::abs(sum);
        for (int64_t i = 0; i < m; ++i) {
          sum += d[i * n + j];
          magnitude += std::abs(d[i * n + j]);
        }
        ASSERT_NEAR(out[j], sum, static_cast<double>(m + 1) * kUnitRoundoff * magnitude);
      }
    }
}

TEST_P(KernelsTest, SquaredNormIsSummedInDouble) {
  // In float32 the small ones would vanish beside the large one.
  std::vector<float> x(1001, 1e-4f);
  x[500] = 1000;
  const double small = static_cast<double>(1e-4f) * 1e-4f;
  EXPECT_NEAR(table().squared_norm(1001, x.data()), 1e6 + 1000 * small, 1e-9);
  EXPECT_EQ(table().squared_norm(0, x.data()), 0);
  x[1000] = kNaN;
  EXPECT_TRUE(std::isnan(table().squared_norm(1001, x.data())));
  const std::vector<float> large(3, 3e38f);  // Their squares are beyond float32.
  EXPECT_NEAR(table().squared_norm(3, large.data()) / 2.7e77, 1, 1e-6);
}

TEST_P(KernelsTest, AdamIsItsDefinition) {
  Random random(6);
  for (const int64_t n : {1, 3, 16, 31, 100}) {
    std::vector<float> parameters = Normals(n, random), m = Normals(n, random);
    std::vector<float> v = Normals(n, random);
    for (float& value : v) value *= value;
    const std::vector<float> gradient = Normals(n, random);
    const std::vector<float> p0 = parameters, m0 = m, v0 = v;
    table().adam(n, parameters.data(), m.data(), v.data(), gradient.data(), 0.5f, 0.9f, 0.99f,
                 0.01f, 1e-3f, 0);
    for (int64_t i = 0; i < n; ++i) {
      const double g = 0.5 * gradient[i];
      const double m1 = 0.9f * static_cast<double>(m0[i]) + (1.0 - 0.9f) * g;
      const double v1 = 0.99f * static_cast<double>(v0[i]) + (1.0 - 0.99f) * g * g;
      EXPECT_NEAR(m[i], m1, 1e-6);
      EXPECT_NEAR(v[i], v1, 1e-6 * (1 + v1));
      EXPECT_NEAR(parameters[i], p0[i] - 0.01f * m1 / (std::sqrt(v1) + 1e-3f),
                  1e-6 * (1 + std::abs(p0[i]) + std::abs(m1) / std::sqrt(v1)));
    }
  }
}

TEST_P(KernelsTest, AdamsMomentsOfADeadUnitBecomeZeroAndNotSubnormal) {
  constexpr int64_t kSize = 37;
  std::vector<float> parameters(kSize, 1.0f), m(kSize, 1e-3f), v(kSize, 1e-33f);
  std::vector<float> gradient(kSize, 0.0f);
  gradient[5] = 1e-3f;                       // One is alive.
  for (int step = 0; step < 1500; ++step) {  // 0.9^1500 is 2e-69.
    table().adam(kSize, parameters.data(), m.data(), v.data(), gradient.data(), 1, 0.9f, 0.999f,
                 1e-4f, 1e-8f, 0);
    for (int64_t i = 0; i < kSize; ++i)
      ASSERT_TRUE(m[i] == 0 || std::isnormal(m[i])) << "step " << step;
  }
  for (int64_t i = 0; i < kSize; ++i) {
    EXPECT_EQ(m[i] != 0, i == 5);
    EXPECT_EQ(v[i] != 0, i == 5);
  }
}

TEST_P(KernelsTest, SgdIsItsDefinitionAndExactInSmallIntegers) {
  for (const int64_t n : {1, 16, 37}) {
    std::vector<float> parameters(n, 10.0f), buffer(n, 8.0f);
    const std::vector<float> gradient(n, 3.0f);
    table().sgd(n, parameters.data(), nullptr, gradient.data(), 2.0f, 0, 0.0f, 1.0f);
    EXPECT_EQ(parameters, std::vector<float>(n, 4.0f));
    table().sgd(n, parameters.data(), buffer.data(), gradient.data(), 1.0f, 0, 0.5f, 2.0f);
    EXPECT_EQ(buffer, std::vector<float>(n, 7.0f));
    EXPECT_EQ(parameters, std::vector<float>(n, -10.0f));
  }
}

TEST_P(KernelsTest, RmsPropIsItsDefinitionInAllFourKinds) {
  Random random(7);
  for (const int64_t n : {1, 3, 16, 31, 100})
    for (const bool centered : {false, true})
      for (const bool inside : {false, true}) {
        std::vector<float> parameters = Normals(n, random), square(n, 2.0f), mean(n, 0.5f);
        const std::vector<float> gradient = Normals(n, random), before = parameters;
        table().rms_prop(n, parameters.data(), square.data(), centered ? mean.data() : nullptr,
                         gradient.data(), 0.5f, 0, 0.75f, 0.1f, 0.25f, inside);
        for (int64_t i = 0; i < n; ++i) {
          const double g = 0.5 * gradient[i];
          const double s = 0.75 * 2 + 0.25 * g * g, m = 0.75 * 0.5 + 0.25 * g;
          const double root = s - (centered ? m * m : 0);
          const double divisor = inside ? std::sqrt(root + 0.25) : std::sqrt(root) + 0.25;
          ASSERT_NEAR(square[i], s, 1e-6 * s);
          ASSERT_NEAR(mean[i], centered ? m : 0.5, 1e-6);
          ASSERT_NEAR(parameters[i], before[i] - 0.1 * g / divisor, 1e-6);
        }
      }
}

TEST_P(KernelsTest, AdamsWeightDecayIsApartFromItsMoments) {
  Random random(9);
  constexpr int64_t kSize = 37;
  const std::vector<float> start = Normals(kSize, random), gradient = Normals(kSize, random);
  std::vector<float> plain = start, m(kSize, 0.5f), v(kSize, 0.25f);
  std::vector<float> decayed = start, m_decayed = m, v_decayed = v;
  table().adam(kSize, plain.data(), m.data(), v.data(), gradient.data(), 1, 0.9f, 0.99f, 0.01f,
               1e-3f, 0);
  table().adam(kSize, decayed.data(), m_decayed.data(), v_decayed.data(), gradient.data(), 1, 0.9f,
               0.99f, 0.01f, 1e-3f, 0.125f);
  EXPECT_EQ(m, m_decayed);
  EXPECT_EQ(v, v_decayed);
  for (int64_t i = 0; i < kSize; ++i)
    EXPECT_NEAR(decayed[i], plain[i] - 0.125 * start[i], 3e-7 * (1 + std::abs(start[i])));
}

TEST_P(KernelsTest, AnL2PenaltyIsPartOfTheGradientOfSgdAndRmsProp) {
  constexpr int64_t kSize = 21;
  const std::vector<float> gradient(kSize, 3.0f), penalised(kSize, 3.0f + 0.5f * 8.0f);
  for (const bool momentum : {false, true}) {
    std::vector<float> a(kSize, 8.0f), b = a, a_buffer(kSize, 2.0f), b_buffer = a_buffer;
    table().sgd(kSize, a.data(), momentum ? a_buffer.data() : nullptr, gradient.data(), 1, 0.5f,
                0.5f, 0.25f);
    table().sgd(kSize, b.data(), momentum ? b_buffer.data() : nullptr, penalised.data(), 1, 0, 0.5f,
                0.25f);
    EXPECT_EQ(a, b);
    EXPECT_EQ(a_buffer, b_buffer);
  }
  std::vector<float> a(kSize, 8.0f), b = a, a_square(kSize, 1.0f), b_square = a_square;
  table().rms_prop(kSize, a.data(), a_square.data(), nullptr, gradient.data(), 1, 0.5f, 0.75f,
                   0.25f, 0.5f, false);
  table().rms_prop(kSize, b.data(), b_square.data(), nullptr, penalised.data(), 1, 0, 0.75f, 0.25f,
                   0.5f, false);
  EXPECT_EQ(a, b);
  EXPECT_EQ(a_square, b_square);
}

TEST_P(KernelsTest, Bfloat16IsTheNearestAndTiesGoToEven) {
  const auto rounded = [this](uint32_t bits) {
    const float x = std::bit_cast<float>(bits);
    uint16_t half;
    table().to_bfloat16(1, &x, &half);
    return half;
  };
  EXPECT_EQ(rounded(0x3F807FFFu), 0x3F80);  // Below the middle.
  EXPECT_EQ(rounded(0x3F808000u), 0x3F80);  // The middle: to even.
  EXPECT_EQ(rounded(0x3F808001u), 0x3F81);
  EXPECT_EQ(rounded(0x3F818000u), 0x3F82);
  EXPECT_EQ(rounded(0xBF818000u), 0xBF82);
  EXPECT_EQ(rounded(0x7F7FFFFFu), 0x7F80);  // Beyond the largest.
  EXPECT_EQ(rounded(0xFF800000u), 0xFF80);
  EXPECT_EQ(rounded(0x7F800001u) & 0x7FC0, 0x7FC0);  // NaN, not infinity.
  EXPECT_EQ(rounded(0x00000000u), 0);
  EXPECT_EQ(rounded(0x80000000u), 0x8000);
}

TEST_P(KernelsTest, Bfloat16OfAnyLengthComesBackWithinHalfAUnit) {
  Random random(8);
  for (const int64_t n : {0, 1, 7, 31, 32, 33, 200}) {
    const std::vector<float> x = Normals(n, random);
    std::vector<uint16_t> half(n + 1, 0x1234);
    std::vector<float> back(n + 1, kCanary);
    table().to_bfloat16(n, x.data(), half.data());
    table().from_bfloat16(n, half.data(), back.data());
    for (int64_t i = 0; i < n; ++i) ASSERT_NEAR(back[i], x[i], std::abs(x[i]) * 0x1.0p-8);
    EXPECT_EQ(half[n], 0x1234);
    EXPECT_EQ(back[n], kCanary);
  }
}

}  // namespace
}  // namespace cadre::kernels
