#include "replay_server/storage/writer_sequences.h"

#include <algorithm>

#include "common/check.h"

namespace cadre {

void WriterSequences::Open(uint64_t writer) { ++writers_[writer].open; }

void WriterSequences::Close(uint64_t writer) {
  const auto it = writers_.find(writer);
  CADRE_CHECK(it != writers_.end() && it->second.open > 0);
  --it->second.open;
  ForgetOldest(writer);
}

WriterSequences::Verdict WriterSequences::Check(uint64_t writer, uint64_t sequence) const {
  const auto it = writers_.find(writer);
  const uint64_t last = it == writers_.end() ? 0 : it->second.last_accepted;
  if (sequence == 0) return Verdict::kGap;
  if (last == 0 || sequence == last + 1) return Verdict::kNext;
  return sequence <= last ? Verdict::kDuplicate : Verdict::kGap;
}

void WriterSequences::Accept(uint64_t writer, uint64_t sequence) {
  CADRE_CHECK(Check(writer, sequence) == Verdict::kNext);
  Writer& state = writers_[writer];
  state.last_accepted = sequence;
  state.unsettled.insert(state.unsettled.end(), sequence);
}

void WriterSequences::Settle(uint64_t writer, uint64_t sequence) {
  const auto it = writers_.find(writer);
  CADRE_CHECK(it != writers_.end() && it->second.unsettled.erase(sequence) == 1);
  ForgetOldest(writer);
}

void WriterSequences::Skip(uint64_t writer, uint64_t sequence) {
  Writer& state = writers_[writer];
  CADRE_CHECK(state.unsettled.empty());
  state.last_accepted = std::max(state.last_accepted, sequence);
  ForgetOldest(writer);
}

uint64_t WriterSequences::settled(uint64_t writer) const {
  const auto it = writers_.find(writer);
  if (it == writers_.end()) return 0;
  const Writer& state = it->second;
  return state.unsettled.empty() ? state.last_accepted : *state.unsettled.begin() - 1;
}

uint64_t WriterSequences::next(uint64_t writer) const {
  const auto it = writers_.find(writer);
  return it == writers_.end() || it->second.last_accepted == 0 ? 0 : it->second.last_accepted + 1;
}

std::vector<WriterSequences::Last> WriterSequences::LastAccepted() const {
  std::vector<Last> last;
  for (const Idle& idle : idle_) {
    const auto it = writers_.find(idle.writer);
    if (it != writers_.end() && it->second.idle_stamp == idle.stamp && IsIdle(it->second))
      last.push_back({idle.writer, it->second.last_accepted});
  }
  for (const auto& [writer, state] : writers_)
    if (!IsIdle(state) && state.last_accepted > 0) last.push_back({writer, state.last_accepted});
  return last;
}

void WriterSequences::ForgetOldest(uint64_t writer_now_idle) {
  Writer& state = writers_.at(writer_now_idle);
  if (!IsIdle(state)) return;
  state.idle_stamp = ++last_stamp_;
  idle_.push_back({writer_now_idle, last_stamp_});
  while (idle_.size() > max_idle_writers_) {
    const Idle oldest = idle_.front();
    idle_.pop_front();
    const auto it = writers_.find(oldest.writer);
    if (it != writers_.end() && it->second.idle_stamp == oldest.stamp && IsIdle(it->second))
      writers_.erase(it);
  }
}

}  // namespace cadre
