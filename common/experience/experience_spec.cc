#include "common/experience/experience_spec.h"

#include <algorithm>
#include <limits>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/experience/finite_values.h"
#include "google/protobuf/util/message_differencer.h"

namespace cadre {
namespace {

std::string DTypeName(v1::DType dtype) {
  switch (dtype) {
    case v1::DTYPE_UINT8:
      return "uint8";
    case v1::DTYPE_INT32:
      return "int32";
    case v1::DTYPE_INT64:
      return "int64";
    case v1::DTYPE_FLOAT32:
      return "float32";
    case v1::DTYPE_FLOAT64:
      return "float64";
    default:
      return absl::StrCat("dtype#", static_cast<int>(dtype));
  }
}

// No row is larger than this: a bound that keeps every product below in int64.
constexpr int64_t kMaxRowBytes = int64_t{1} << 32;

}  // namespace

int64_t DTypeBytes(v1::DType dtype) {
  switch (dtype) {
    case v1::DTYPE_UINT8:
      return 1;
    case v1::DTYPE_INT32:
    case v1::DTYPE_FLOAT32:
      return 4;
    case v1::DTYPE_INT64:
    case v1::DTYPE_FLOAT64:
      return 8;
    default:
      return 0;
  }
}

int64_t RowElements(const v1::ColumnSpec& column) {
  int64_t elements = 1;
  for (int64_t dimension : column.shape()) elements *= dimension;
  return elements;
}

int64_t RowBytes(const v1::ColumnSpec& column) {
  return RowElements(column) * DTypeBytes(column.dtype());
}

std::string DescribeSpec(const v1::ExperienceSpec& spec) {
  return absl::StrJoin(spec.columns(), ", ", [](std::string* out, const v1::ColumnSpec& column) {
    absl::StrAppend(out, column.name(), " ", DTypeName(column.dtype()), "[",
                    absl::StrJoin(column.shape(), ","), "]",
                    column.per_observation() ? " per observation" : "");
  });
}

absl::Status ValidateSpec(const v1::ExperienceSpec& spec) {
  std::set<std::string> names;
  if (spec.columns().empty()) return absl::InvalidArgumentError("experience spec has no columns");
  for (const v1::ColumnSpec& column : spec.columns()) {
    if (column.name().empty() || !names.insert(column.name()).second)
      return absl::InvalidArgumentError(absl::StrCat("experience spec: column name '",
                                                     column.name(), "' is empty or there twice"));
    if (DTypeBytes(column.dtype()) == 0)
      return absl::InvalidArgumentError(absl::StrCat("experience spec: column '", column.name(),
                                                     "' has ", DTypeName(column.dtype())));
    int64_t bytes = DTypeBytes(column.dtype());
    for (int64_t dimension : column.shape()) {
      if (dimension < 1 || dimension > kMaxRowBytes / bytes)
        return absl::InvalidArgumentError(absl::StrCat(
            "experience spec: column '", column.name(), "' has a dimension of ", dimension,
            "; wanted 1 or more, and rows of at most ", kMaxRowBytes, " bytes"));
      bytes *= dimension;
    }
  }
  return absl::OkStatus();
}

absl::Status CheckSameSpec(const v1::ExperienceSpec& ours, const v1::ExperienceSpec& theirs) {
  const auto same = [](const v1::ColumnSpec& a, const v1::ColumnSpec& b) {
    return google::protobuf::util::MessageDifferencer::Equals(a, b);
  };
  if (std::equal(ours.columns().begin(), ours.columns().end(), theirs.columns().begin(),
                 theirs.columns().end(), same))
    return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("experience spec differs: got {",
                                                    DescribeSpec(theirs), "}; wanted {",
                                                    DescribeSpec(ours), "}"));
}

int ColumnIndex(const v1::ExperienceSpec& spec, absl::string_view name) {
  for (int i = 0; i < spec.columns_size(); ++i)
    if (spec.columns(i).name() == name) return i;
  return -1;
}

int64_t RolloutSteps(const v1::Rollout& rollout) {
  int64_t steps = 0;
  for (const v1::Segment& segment : rollout.segments()) steps += segment.length();
  return steps;
}

int64_t RolloutObservations(const v1::Rollout& rollout) {
  return RolloutSteps(rollout) + rollout.segments_size();
}

int64_t RolloutBytes(const v1::Rollout& rollout) {
  int64_t bytes = 0;
  for (const std::string& column : rollout.columns()) bytes += static_cast<int64_t>(column.size());
  return bytes;
}

absl::Status ValidateRolloutShape(const v1::ExperienceSpec& spec,
                                  absl::Span<const v1::Segment> segments,
                                  absl::Span<const int64_t> column_bytes) {
  if (segments.empty())
    return absl::InvalidArgumentError("rollout has no segments; wanted 1 or more");
  int64_t steps = 0;
  for (size_t i = 0; i < segments.size(); ++i) {
    const v1::Segment& segment = segments[i];
    if (segment.length() < 1)
      return absl::InvalidArgumentError(
          absl::StrCat("segment ", i, " has length ", segment.length(), "; wanted 1 or more"));
    if (segment.end() < v1::SEGMENT_END_CUT || segment.end() > v1::SEGMENT_END_TRUNCATED)
      return absl::InvalidArgumentError(absl::StrCat("segment ", i, " has end ",
                                                     static_cast<int>(segment.end()),
                                                     "; wanted CUT, TERMINATED or TRUNCATED"));
    if (segment.environment() < 0)
      return absl::InvalidArgumentError(absl::StrCat("segment ", i, " has environment ",
                                                     segment.environment(), "; wanted 0 or more"));
    steps += segment.length();
  }
  if (static_cast<int>(column_bytes.size()) != spec.columns_size())
    return absl::InvalidArgumentError(absl::StrCat("rollout has ", column_bytes.size(),
                                                   " columns; wanted ", spec.columns_size(), ": ",
                                                   DescribeSpec(spec)));
  for (int i = 0; i < spec.columns_size(); ++i) {
    const v1::ColumnSpec& column = spec.columns(i);
    const int64_t rows =
        column.per_observation() ? steps + static_cast<int64_t>(segments.size()) : steps;
    const int64_t got = column_bytes[i];
    const int64_t row_bytes = RowBytes(column);
    if (got % row_bytes != 0 || got / row_bytes != rows)
      return absl::InvalidArgumentError(absl::StrCat("column '", column.name(), "' has ", got,
                                                     " bytes; wanted ", rows, " rows of ",
                                                     row_bytes, " bytes"));
  }
  return absl::OkStatus();
}

absl::Status ValidateRolloutShape(const v1::ExperienceSpec& spec, const v1::Rollout& rollout) {
  const std::vector<v1::Segment> segments(rollout.segments().begin(), rollout.segments().end());
  std::vector<int64_t> bytes;
  for (const std::string& column : rollout.columns())
    bytes.push_back(static_cast<int64_t>(column.size()));
  return ValidateRolloutShape(spec, segments, bytes);
}

absl::Status CheckFiniteRollout(const v1::ExperienceSpec& spec, const v1::Rollout& rollout) {
  std::vector<PiecewiseBytes> columns;
  for (const std::string& column : rollout.columns())
    columns.push_back(
        {absl::MakeConstSpan(reinterpret_cast<const std::byte*>(column.data()), column.size())});
  return CheckFiniteRollout(
      spec, columns,
      std::vector<v1::Episode>(rollout.episodes().begin(), rollout.episodes().end()));
}

absl::Status ValidateRollout(const v1::ExperienceSpec& spec, const v1::Rollout& rollout) {
  const absl::Status status = ValidateRolloutShape(spec, rollout);
  return status.ok() ? CheckFiniteRollout(spec, rollout) : status;
}

}  // namespace cadre
