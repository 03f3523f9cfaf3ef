#include "param_server/bfloat16_cache.h"

#include <cstdint>
#include <memory>
#include <utility>

#include "common/kernels/kernels.h"

namespace cadre {
namespace {

ParametersPtr ToBfloat16(const v1::Parameters& from) {
  auto to = std::make_shared<v1::Parameters>();
  to->set_model(from.model());
  to->set_version(from.version());
  to->set_layout_fingerprint(from.layout_fingerprint());
  *to->mutable_statistics() = from.statistics();
  to->set_env_steps(from.env_steps());
  to->set_encoding(v1::VALUE_ENCODING_BFLOAT16);
  const size_t count = from.values().size() / sizeof(float);
  std::string& values = *to->mutable_values();
  values.resize(count * sizeof(uint16_t));
  kernels::Best().to_bfloat16(static_cast<int64_t>(count),
                              reinterpret_cast<const float*>(from.values().data()),
                              reinterpret_cast<uint16_t*>(values.data()));
  return to;
}

}  // namespace

ParametersPtr Bfloat16Cache::Encoded(const ParametersPtr& parameters, v1::ValueEncoding encoding) {
  if (encoding != v1::VALUE_ENCODING_BFLOAT16) return parameters;
  Entry previous;  // Freed after the lock.
  absl::MutexLock lock(&mutex_);
  Entry& entry = newest_[parameters->model()];
  if (entry.from == parameters) return entry.to;
  ParametersPtr encoded = ToBfloat16(*parameters);
  // A slow reader may ask for one that is older than what is here.
  if (entry.from == nullptr || entry.from->version() < parameters->version())
    previous = std::exchange(entry, Entry{parameters, encoded});
  return encoded;
}

}  // namespace cadre
