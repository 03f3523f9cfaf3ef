#include "common/spaces.h"

#include <functional>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/experience/experience_spec.h"

namespace cadre {

int64_t ObservationColumn::elements() const {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

int64_t ObservationColumn::bytes() const { return elements() * DTypeBytes(dtype); }

int64_t ObservationSpace::elements() const {
  int64_t sum = 0;
  for (const ObservationColumn& column : columns) sum += column.elements();
  return sum;
}

int64_t ObservationSpace::bytes() const {
  int64_t sum = 0;
  for (const ObservationColumn& column : columns) sum += column.bytes();
  return sum;
}

int64_t ObservationSpace::floats() const {
  int64_t sum = 0;
  for (const ObservationColumn& column : columns)
    if (column.dtype == v1::DTYPE_FLOAT32) sum += column.elements();
  return sum;
}

ActionSpace ActionSpace::Discrete(int64_t count) {
  return {.kind = Kind::kDiscrete, .counts = {count}};
}

ActionSpace ActionSpace::MultiDiscrete(std::vector<int64_t> counts) {
  return {.kind = Kind::kMultiDiscrete, .counts = std::move(counts)};
}

ActionSpace ActionSpace::MultiBinary(int64_t choices) {
  return {.kind = Kind::kMultiBinary, .counts = std::vector<int64_t>(choices, 2)};
}

int64_t ActionSpace::alternatives() const {
  return std::accumulate(counts.begin(), counts.end(), int64_t{0});
}

std::string Describe(const ObservationSpace& observation) {
  return absl::StrJoin(
      observation.columns, ", ", [&](std::string* out, const ObservationColumn& column) {
        const std::string name =
            observation.columns.size() == 1 ? "" : absl::StrCat(column.name, " ");
        absl::StrAppend(out, name, column.dtype == v1::DTYPE_UINT8 ? "uint8" : "float32", "[",
                        absl::StrJoin(column.shape, ","), "]");
      });
}

std::string Describe(const ActionSpace& action) {
  const std::string masked = action.masked ? ", masked" : "";
  switch (action.kind) {
    case ActionSpace::Kind::kDiscrete:
      return absl::StrCat(action.alternatives(), " choices", masked);
    case ActionSpace::Kind::kMultiDiscrete:
      return absl::StrCat("choices of [", absl::StrJoin(action.counts, ","), "]", masked);
    case ActionSpace::Kind::kMultiBinary:
      return absl::StrCat(action.choices(), " bits", masked);
    case ActionSpace::Kind::kContinuous:
      break;
  }
  return absl::StrCat("float32[", action.dimensions, "]");
}

ObservationColumn MaskColumn(const ActionSpace& action) {
  const int64_t alternatives = action.alternatives();
  return {.name = kMaskColumn,
          .dtype = v1::DTYPE_UINT8,
          .shape = {alternatives},
          .low = std::vector<float>(alternatives, 0),
          .high = std::vector<float>(alternatives, 1)};
}

std::vector<ObservationColumn> ShownColumns(const ObservationSpace& observation,
                                            const ActionSpace& action) {
  std::vector<ObservationColumn> columns = observation.columns;
  if (action.masked) columns.push_back(MaskColumn(action));
  return columns;
}

}  // namespace cadre
