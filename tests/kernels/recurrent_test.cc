// Steps of a GRU and an LSTM in every table: forward against float64, backward against the slopes
// of that. tests/policy/kernels_against_torch_test.cc holds both against LibTorch.
#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include "tests/kernels/every_table.h"

namespace cadre::kernels {
namespace {

class RecurrentTest : public EveryTableTest {};
INSTANTIATE_FOR_EVERY_TABLE(RecurrentTest);

using Doubles = std::vector<double>;

double Squash(double x) { return 1 / (1 + std::exp(-x)); }
Doubles Wide(const std::vector<float>& x) { return {x.begin(), x.end()}; }

// h', from W_ih x + b_ih and W_hh h + b_hh as they are and h.
Doubles GruStep(int64_t units, const Doubles& x, const Doubles& h_gates, const Doubles& h) {
  Doubles next(h.size());
  for (size_t j = 0; j < h.size(); ++j) {
    const size_t gate = j / units * 3 * units + j % units;
    const double r = Squash(x[gate] + h_gates[gate]);
    const double z = Squash(x[gate + units] + h_gates[gate + units]);
    const double n = std::tanh(x[gate + 2 * units] + r * h_gates[gate + 2 * units]);
    next[j] = (1 - z) * n + z * h[j];
  }
  return next;
}

// h', then c'.
Doubles LstmStep(int64_t units, const Doubles& gates, const Doubles& c) {
  Doubles next(2 * c.size());
  for (size_t j = 0; j < c.size(); ++j) {
    const size_t gate = j / units * 4 * units + j % units;
    const double cell = Squash(gates[gate + units]) * c[j] +
                        Squash(gates[gate]) * std::tanh(gates[gate + 2 * units]);
    next[j] = Squash(gates[gate + 3 * units]) * std::tanh(cell);
    next[c.size() + j] = cell;
  }
  return next;
}

// d sum(weights f()) / d x, by central differences.
Doubles Slopes(Doubles& x, const Doubles& weights, const std::function<Doubles()>& f) {
  constexpr double kStep = 1e-6;
  Doubles slopes(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const double at = x[i];
    const auto loss = [&](double value) {
      x[i] = value;
      const Doubles y = f();
      double sum = 0;
      for (size_t j = 0; j < y.size(); ++j) sum += weights[j] * y[j];
      return sum;
    };
    slopes[i] = (loss(at + kStep) - loss(at - kStep)) / (2 * kStep);
    x[i] = at;
  }
  return slopes;
}

void ExpectClose(const std::vector<float>& got, const Doubles& expected, double tolerance) {
  ASSERT_EQ(got.size(), expected.size() + 1);
  for (size_t i = 0; i < expected.size(); ++i)
    ASSERT_NEAR(got[i], expected[i], tolerance * (1 + std::abs(expected[i]))) << i;
  ASSERT_EQ(got.back(), kCanary);
}

std::vector<float> Guarded(std::vector<float> values) {
  values.push_back(kCanary);
  return values;
}

TEST_P(RecurrentTest, GruIsItsDefinitionForwardAndBackward) {
  Random random(1);
  for (const int64_t rows : {1, 3})
    for (const int64_t units : {1, 7, 16, 33}) {
      const int64_t size = rows * units;
      const std::vector<float> x = Normals(3 * size, random), h_gates = Normals(3 * size, random);
      const std::vector<float> h = Normals(size, random), d = Normals(size, random);
      std::vector<float> gates = Guarded(x), next(size + 1, kCanary);
      table().gru(rows, units, gates.data(), h_gates.data(), h.data(), next.data());
      Doubles x0 = Wide(x), g0 = Wide(h_gates), h0 = Wide(h);
      const auto step = [&] { return GruStep(units, x0, g0, h0); };
      ExpectClose(next, step(), 1e-6);

      std::vector<float> d_x(3 * size + 1, kCanary), d_gates = d_x, d_h(size + 1, kCanary);
      table().gru_backward(rows, units, gates.data(), h_gates.data(), h.data(), d.data(),
                           d_x.data(), d_gates.data(), d_h.data());
      ExpectClose(d_x, Slopes(x0, Wide(d), step), 2e-6);
      ExpectClose(d_gates, Slopes(g0, Wide(d), step), 2e-6);
      ExpectClose(d_h, Slopes(h0, Wide(d), step), 2e-6);

      // In place: the same bits.
      std::vector<float> hidden = Guarded(h), again = Guarded(x);
      table().gru(rows, units, again.data(), h_gates.data(), hidden.data(), hidden.data());
      ASSERT_EQ(hidden, next);
      std::vector<float> gates_in_place = gates, h_gates_in_place = Guarded(h_gates);
      std::vector<float> d_in_place = Guarded(d);
      table().gru_backward(rows, units, gates_in_place.data(), h_gates_in_place.data(), h.data(),
                           d_in_place.data(), gates_in_place.data(), h_gates_in_place.data(),
                           d_in_place.data());
      ASSERT_EQ(gates_in_place, d_x);
      ASSERT_EQ(h_gates_in_place, d_gates);
      ASSERT_EQ(d_in_place, d_h);
    }
}

TEST_P(RecurrentTest, LstmIsItsDefinitionForwardAndBackward) {
  Random random(2);
  for (const int64_t rows : {1, 3})
    for (const int64_t units : {1, 7, 16, 33}) {
      const int64_t size = rows * units;
      const std::vector<float> x = Normals(4 * size, random), c = Normals(size, random);
      const std::vector<float> d = Normals(2 * size, random);  // Of h', then of c'.
      std::vector<float> gates = Guarded(x), next_c(size + 1, kCanary), next_h = next_c;
      table().lstm(rows, units, gates.data(), c.data(), next_c.data(), next_h.data());
      Doubles x0 = Wide(x), c0 = Wide(c);
      const auto step = [&] { return LstmStep(units, x0, c0); };
      const Doubles next = step();
      ExpectClose(next_h, Doubles(next.begin(), next.begin() + size), 1e-6);
      ExpectClose(next_c, Doubles(next.begin() + size, next.end()), 1e-6);

      std::vector<float> d_c = Guarded({d.begin() + size, d.end()});
      std::vector<float> d_x(4 * size + 1, kCanary);
      table().lstm_backward(rows, units, gates.data(), c.data(), next_c.data(), d.data(),
                            d_c.data(), d_x.data());
      ExpectClose(d_x, Slopes(x0, Wide(d), step), 2e-6);
      ExpectClose(d_c, Slopes(c0, Wide(d), step), 2e-6);

      std::vector<float> cell = Guarded(c), again = Guarded(x), hidden(size + 1, kCanary);
      table().lstm(rows, units, again.data(), cell.data(), cell.data(), hidden.data());
      ASSERT_EQ(cell, next_c);
      ASSERT_EQ(hidden, next_h);
      std::vector<float> d_c_again = Guarded({d.begin() + size, d.end()});
      table().lstm_backward(rows, units, gates.data(), c.data(), next_c.data(), d.data(),
                            d_c_again.data(), gates.data());
      ASSERT_EQ(gates, d_x);
    }
}

TEST_P(RecurrentTest, GatesFarFromZeroAreOpenOrShut) {
  // An LSTM of three units: its forget gates shut, half open and open.
  std::vector<float> gates = {-200, -200, -200, -200, 0, 200, 1, 1, 1, 200, 200, 200};
  const std::vector<float> cell = {0.5f, 0.5f, 0.5f};
  std::vector<float> next_cell(3), next_hidden(3);
  table().lstm(1, 3, gates.data(), cell.data(), next_cell.data(), next_hidden.data());
  EXPECT_EQ(next_cell, (std::vector<float>{0, 0.25f, 0.5f}));
  EXPECT_NEAR(next_hidden[2], std::tanh(0.5), 1e-7);
}

}  // namespace
}  // namespace cadre::kernels
