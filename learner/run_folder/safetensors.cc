#include "learner/run_folder/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/check.h"
#include "common/experience/experience_spec.h"
#include "common/status_macros.h"
#include "common/tensor_view.h"

namespace cadre {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "tensors are little-endian");

constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr size_t kLengthBytes = 8;
constexpr char kMetadata[] = "__metadata__";

struct DTypeName {
  v1::DType dtype;
  const char* name;
};
constexpr DTypeName kDTypeNames[] = {
    {v1::DTYPE_FLOAT64, "F64"}, {v1::DTYPE_FLOAT32, "F32"}, {v1::DTYPE_INT64, "I64"},
    {v1::DTYPE_INT32, "I32"},   {v1::DTYPE_UINT8, "U8"},
};

const char* NameOf(v1::DType dtype) {
  for (const DTypeName& entry : kDTypeNames) {
    if (entry.dtype == dtype) return entry.name;
  }
  return "none";
}

v1::DType DTypeNamed(absl::string_view name) {
  for (const DTypeName& entry : kDTypeNames) {
    if (name == entry.name) return entry.dtype;
  }
  return v1::DTYPE_UNSPECIFIED;
}

// Bytes of a tensor of that dtype and shape; none where they overflow.
std::optional<uint64_t> TensorBytes(v1::DType dtype, const std::vector<int64_t>& shape) {
  uint64_t bytes = DTypeBytes(dtype);
  for (int64_t dimension : shape) {
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(dimension), &bytes)) return {};
  }
  return bytes;
}

// Why the parts of a file do not fit, without the file's name.
absl::Status Damaged(absl::string_view what) { return absl::DataLossError(what); }

// Parses the header, and refuses keys that come twice in one object: readers
// would differ in which of them they take.
absl::StatusOr<json> ParseHeader(absl::string_view text) {
  std::vector<std::set<std::string>> keys;  // Of the open objects, by depth.
  std::string duplicate;
  auto look = [&](int depth, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start) {
      keys.resize(depth);
      keys.emplace_back();
    } else if (event == json::parse_event_t::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!keys.at(depth - 1).insert(key).second) duplicate = key;
    } else if (event == json::parse_event_t::array_start) {
      keys.resize(depth + 1);
    }
    return true;
  };
  json header = json::parse(text.begin(), text.end(), look, /*allow_exceptions=*/false);
  if (header.is_discarded()) return Damaged("the header is not JSON");
  if (!duplicate.empty()) return Damaged(absl::StrCat("the header has '", duplicate, "' twice"));
  if (!header.is_object()) return Damaged("the header is no JSON object");
  return header;
}

// A list of non-negative integers.
std::optional<std::vector<int64_t>> IntegerList(const json& list) {
  if (!list.is_array()) return {};
  std::vector<int64_t> values;
  for (const json& item : list) {
    if (!item.is_number_unsigned()) return {};
    const uint64_t value = item.get<uint64_t>();
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return {};
    values.push_back(static_cast<int64_t>(value));
  }
  return values;
}

struct Entry {
  NamedTensor tensor;  // Without its bytes.
  uint64_t begin = 0;  // Within the data.
  uint64_t end = 0;
};

absl::StatusOr<Entry> ParseEntry(const std::string& name, const json& value, uint64_t data_bytes) {
  auto damaged = [&](const auto&... what) {
    return Damaged(absl::StrCat("tensor '", name, "' ", what...));
  };
  if (!value.is_object() || value.size() != 3 || !value.contains("dtype") ||
      !value.contains("shape") || !value.contains("data_offsets")) {
    return damaged("needs exactly dtype, shape and data_offsets");
  }
  Entry entry;
  entry.tensor.name = name;
  const json& dtype = value["dtype"];
  if (!dtype.is_string()) return damaged("has a dtype that is no string");
  entry.tensor.dtype = DTypeNamed(dtype.get_ref<const std::string&>());
  if (entry.tensor.dtype == v1::DTYPE_UNSPECIFIED) {
    return damaged("has dtype '", dtype.get_ref<const std::string&>(),
                   "'; wanted F64, F32, I64, I32 or U8");
  }
  auto shape = IntegerList(value["shape"]);
  if (!shape) return damaged("has a shape that is no list of sizes");
  entry.tensor.shape = *std::move(shape);
  const auto offsets = IntegerList(value["data_offsets"]);
  if (!offsets || offsets->size() != 2) return damaged("has data_offsets that are no two offsets");
  entry.begin = (*offsets)[0];
  entry.end = (*offsets)[1];
  if (entry.begin > entry.end || entry.end > data_bytes) {
    return damaged("lies at ", entry.begin, " to ", entry.end, " of ", data_bytes, " data bytes");
  }
  const auto bytes = TensorBytes(entry.tensor.dtype, entry.tensor.shape);
  if (bytes != entry.end - entry.begin) {
    return damaged("has ", entry.end - entry.begin, " bytes; its shape [",
                   absl::StrJoin(entry.tensor.shape, ", "), "] wants ",
                   bytes ? absl::StrCat(*bytes) : "more than there can be");
  }
  return entry;
}

absl::Status ParseMetadata(const json& value, std::map<std::string, std::string>& metadata) {
  if (!value.is_object()) return Damaged("__metadata__ is no JSON object");
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) return Damaged(absl::StrCat("metadata '", key, "' is no string"));
    metadata.emplace(key, text.get<std::string>());
  }
  return absl::OkStatus();
}

absl::StatusOr<Safetensors> Decode(absl::string_view bytes) {
  if (bytes.size() < kLengthBytes) {
    return Damaged(absl::StrCat("has ", bytes.size(), " bytes; wanted 8 or more"));
  }
  uint64_t header_bytes;
  std::memcpy(&header_bytes, bytes.data(), kLengthBytes);
  bytes.remove_prefix(kLengthBytes);
  if (header_bytes > kMaxHeaderBytes || header_bytes > bytes.size()) {
    return Damaged(absl::StrCat("announces a header of ", header_bytes, " bytes; at most ",
                                std::min<uint64_t>(kMaxHeaderBytes, bytes.size()), " fit"));
  }
  CADRE_ASSIGN_OR_RETURN(const json header, ParseHeader(bytes.substr(0, header_bytes)));
  const absl::string_view data = bytes.substr(header_bytes);

  Safetensors result;
  std::vector<Entry> entries;
  for (const auto& [name, value] : header.items()) {
    if (name == kMetadata) {
      CADRE_RETURN_IF_ERROR(ParseMetadata(value, result.metadata));
    } else {
      CADRE_ASSIGN_OR_RETURN(Entry entry, ParseEntry(name, value, data.size()));
      entries.push_back(std::move(entry));
    }
  }
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t end = 0;
  for (Entry& entry : entries) {
    if (entry.begin != end) {
      return Damaged(absl::StrCat("tensor '", entry.tensor.name, "' begins at ", entry.begin,
                                  "; the one before ends at ", end));
    }
    end = entry.end;
    entry.tensor.bytes = std::string(data.substr(entry.begin, entry.end - entry.begin));
    result.tensors.Add(std::move(entry.tensor));
  }
  if (end != data.size()) {
    return Damaged(absl::StrCat("has ", data.size(), " data bytes; its tensors have ", end));
  }
  return result;
}

}  // namespace

void TensorMap::Add(NamedTensor tensor) {
  for (int64_t dimension : tensor.shape) CADRE_CHECK(dimension >= 0);
  CADRE_CHECK(DTypeBytes(tensor.dtype) > 0);
  CADRE_CHECK(TensorBytes(tensor.dtype, tensor.shape) == tensor.bytes.size());
  CADRE_CHECK(index_.emplace(tensor.name, tensors_.size()).second);
  tensors_.push_back(std::move(tensor));
}

template <typename T>
void TensorMap::Add(std::string name, std::vector<int64_t> shape, absl::Span<const T> values) {
  NamedTensor tensor{std::move(name), DTypeOf<T>(), std::move(shape), {}};
  tensor.bytes.assign(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  Add(std::move(tensor));
}

const NamedTensor* TensorMap::Find(absl::string_view name) const {
  const auto it = index_.find(name);
  return it == index_.end() ? nullptr : &tensors_[it->second];
}

template <typename T>
absl::Status TensorMap::Read(absl::string_view name, absl::Span<T> values) const {
  const NamedTensor* tensor = Find(name);
  if (tensor == nullptr) return absl::NotFoundError(absl::StrCat("no tensor '", name, "'"));
  if (tensor->dtype != DTypeOf<T>() || tensor->bytes.size() != values.size() * sizeof(T)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "tensor '", name, "' is ", NameOf(tensor->dtype), "[", absl::StrJoin(tensor->shape, ", "),
        "]; wanted ", values.size(), " values of ", NameOf(DTypeOf<T>())));
  }
  if (!values.empty()) std::memcpy(values.data(), tensor->bytes.data(), tensor->bytes.size());
  return absl::OkStatus();
}

#define CADRE_INSTANTIATE(T)                                                               \
  template void TensorMap::Add<T>(std::string, std::vector<int64_t>, absl::Span<const T>); \
  template absl::Status TensorMap::Read<T>(absl::string_view, absl::Span<T>) const;
CADRE_INSTANTIATE(float)
CADRE_INSTANTIATE(double)
CADRE_INSTANTIATE(int64_t)
CADRE_INSTANTIATE(int32_t)
CADRE_INSTANTIATE(uint8_t)
#undef CADRE_INSTANTIATE

absl::StatusOr<std::string> EncodeSafetensors(const TensorMap& tensors,
                                              const std::map<std::string, std::string>& metadata) {
  std::vector<const NamedTensor*> order;
  for (const NamedTensor& tensor : tensors.tensors()) order.push_back(&tensor);
  std::stable_sort(order.begin(), order.end(), [](const NamedTensor* a, const NamedTensor* b) {
    return DTypeBytes(a->dtype) > DTypeBytes(b->dtype);
  });

  json header = json::object();
  if (!metadata.empty()) header[kMetadata] = metadata;
  uint64_t end = 0;
  for (const NamedTensor* tensor : order) {
    CADRE_CHECK(tensor->name != kMetadata);
    const uint64_t begin = end;
    end += tensor->bytes.size();
    header[tensor->name] = {
        {"dtype", NameOf(tensor->dtype)}, {"shape", tensor->shape}, {"data_offsets", {begin, end}}};
  }
  // Metadata may quote what a user wrote, in whatever encoding.
  std::string text = header.dump(-1, ' ', false, json::error_handler_t::replace);
  text.append((8 - text.size() % 8) % 8, ' ');
  if (text.size() > kMaxHeaderBytes) {
    return absl::ResourceExhaustedError(absl::StrCat("the header would have ", text.size(),
                                                     " bytes; at most ", kMaxHeaderBytes,
                                                     " are allowed"));
  }

  std::string file;
  file.reserve(kLengthBytes + text.size() + end);
  const uint64_t header_bytes = text.size();
  file.append(reinterpret_cast<const char*>(&header_bytes), kLengthBytes);
  file.append(text);
  for (const NamedTensor* tensor : order) file.append(tensor->bytes);
  return file;
}

absl::StatusOr<Safetensors> DecodeSafetensors(absl::string_view bytes,
                                              absl::string_view file_name) {
  absl::StatusOr<Safetensors> result = Decode(bytes);
  if (!result.ok()) {
    return absl::DataLossError(absl::StrCat(file_name, ": ", result.status().message()));
  }
  return result;
}

}  // namespace cadre
