// Versions with their values as bfloat16, for readers who ask for that: each is encoded
// once, whoever wants it. Thread-safe.
#pragma once

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "common/ports.h"
#include "proto/parameters.pb.h"

namespace cadre {

class Bfloat16Cache {
 public:
  // `parameters`, which are float32, in `encoding`; unchanged where that is float32. Those
  // who want a version that is just being encoded wait for it.
  ParametersPtr Encoded(const ParametersPtr& parameters, v1::ValueEncoding encoding);

 private:
  struct Entry {
    ParametersPtr from, to;  // `from` lives as long, so that no other can be in its place.
  };
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, Entry> newest_ ABSL_GUARDED_BY(mutex_);  // By model.
};

}  // namespace cadre
