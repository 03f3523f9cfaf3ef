// Which writer is behind which stream, and whom to tell what is settled: the newest
// stream of each writer. Pure; not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"

namespace cadre {

using SettledListener = std::function<void(uint64_t settled_sequence)>;

class WriterStreams {
 public:
  // `stream`: larger than those before it. `settled`: what the listener knows already.
  void Open(uint64_t stream, uint64_t writer, uint64_t settled, SettledListener listener);
  // Its writer; none where it is not open.
  std::optional<uint64_t> Close(uint64_t stream);
  std::optional<uint64_t> WriterOf(uint64_t stream) const;

  // How many streams are open, and of how many different writers.
  int64_t streams() const { return static_cast<int64_t>(writers_.size()); }
  int64_t writers() const;
  // The other writers of which a stream was open before any open stream of `writer` was.
  absl::flat_hash_set<uint64_t> WritersBefore(uint64_t writer) const;

  // All of `writer` up to `settled` is settled: whom to tell, or null where they know.
  std::shared_ptr<const SettledListener> Settled(uint64_t writer, uint64_t settled);

 private:
  struct Listener {
    uint64_t stream;
    std::shared_ptr<const SettledListener> call;
    uint64_t told;  // The settled sequence it knows of.
  };

  absl::flat_hash_map<uint64_t, uint64_t> writers_;    // By stream.
  absl::flat_hash_map<uint64_t, Listener> listeners_;  // By writer.
};

}  // namespace cadre
