#include "policy/acting/action_values.h"

#include <algorithm>
#include <cmath>

namespace cadre {

void AddStateValues(absl::Span<const float> state_values, int64_t actions, int64_t atoms,
                    absl::Span<float> advantages) {
  const int64_t batch = static_cast<int64_t>(state_values.size()) / atoms;
  for (int64_t b = 0; b < batch; ++b) {
    float* row = &advantages[b * actions * atoms];
    for (int64_t i = 0; i < atoms; ++i) {
      float sum = 0;
      for (int64_t a = 0; a < actions; ++a) sum += row[a * atoms + i];
      const float shift = state_values[b * atoms + i] - sum / static_cast<float>(actions);
      for (int64_t a = 0; a < actions; ++a) row[a * atoms + i] += shift;
    }
  }
}

void StateValueGradient(absl::Span<float> gradient, int64_t actions, int64_t atoms,
                        absl::Span<float> state_values) {
  const int64_t batch = static_cast<int64_t>(state_values.size()) / atoms;
  for (int64_t b = 0; b < batch; ++b) {
    float* row = &gradient[b * actions * atoms];
    for (int64_t i = 0; i < atoms; ++i) {
      float sum = 0;
      for (int64_t a = 0; a < actions; ++a) sum += row[a * atoms + i];
      state_values[b * atoms + i] = sum;
      const float mean = sum / static_cast<float>(actions);
      for (int64_t a = 0; a < actions; ++a) row[a * atoms + i] -= mean;
    }
  }
}

void ExpectedValues(absl::Span<const float> logits, int64_t atoms, double min_value,
                    double max_value, absl::Span<float> values) {
  const float step = static_cast<float>((max_value - min_value) / static_cast<double>(atoms - 1));
  for (size_t r = 0; r < values.size(); ++r) {
    const absl::Span<const float> row = logits.subspan(r * atoms, atoms);
    const float largest = *std::max_element(row.begin(), row.end());
    float sum = 0, weighted = 0;  // Of exp, and of i * exp.
    for (int64_t i = 0; i < atoms; ++i) {
      const float e = std::exp(row[i] - largest);
      sum += e;
      weighted += static_cast<float>(i) * e;
    }
    values[r] = static_cast<float>(min_value) + step * (weighted / sum);
  }
}

}  // namespace cadre
