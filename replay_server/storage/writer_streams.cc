#include "replay_server/storage/writer_streams.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace cadre {

void WriterStreams::Open(uint64_t stream, uint64_t writer, uint64_t settled,
                         SettledListener listener) {
  writers_[stream] = writer;
  listeners_[writer] = {stream, std::make_shared<const SettledListener>(std::move(listener)),
                        settled};
}

std::optional<uint64_t> WriterStreams::Close(uint64_t stream) {
  const std::optional<uint64_t> writer = WriterOf(stream);
  if (!writer.has_value()) return writer;
  writers_.erase(stream);
  if (const auto own = listeners_.find(*writer);
      own != listeners_.end() && own->second.stream == stream)
    listeners_.erase(own);
  return writer;
}

std::optional<uint64_t> WriterStreams::WriterOf(uint64_t stream) const {
  const auto it = writers_.find(stream);
  if (it == writers_.end()) return std::nullopt;
  return it->second;
}

int64_t WriterStreams::writers() const {
  absl::flat_hash_set<uint64_t> different;
  for (const auto& [stream, writer] : writers_) different.insert(writer);
  return static_cast<int64_t>(different.size());
}

absl::flat_hash_set<uint64_t> WriterStreams::WritersBefore(uint64_t writer) const {
  uint64_t first = std::numeric_limits<uint64_t>::max();
  for (const auto& [stream, other] : writers_)
    if (other == writer) first = std::min(first, stream);
  absl::flat_hash_set<uint64_t> before;
  for (const auto& [stream, other] : writers_)
    if (stream < first) before.insert(other);
  return before;
}

std::shared_ptr<const SettledListener> WriterStreams::Settled(uint64_t writer, uint64_t settled) {
  const auto it = listeners_.find(writer);
  if (it == listeners_.end() || settled <= it->second.told) return nullptr;
  it->second.told = settled;
  return it->second.call;
}

}  // namespace cadre
