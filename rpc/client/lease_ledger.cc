#include "rpc/client/lease_ledger.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/check.h"

namespace cadre {
namespace {

constexpr size_t kMostGaps = 4096;  // Four times a sink's largest window.

}  // namespace

uint64_t LeaseLedger::NewLease() {
  leases_[++last_lease_];
  return last_lease_;
}

std::vector<uint64_t> LeaseLedger::Receive(uint64_t server_lease, v1::ConsumeResponse& response,
                                           uint64_t lease, std::vector<v1::Rollout>* fresh) {
  const auto own = leases_.find(lease);
  CADRE_CHECK(own != leases_.end());
  absl::flat_hash_set<uint64_t>& waits_for = server_leases_[server_lease];
  for (v1::Rollout& rollout : *response.mutable_rollouts()) {
    const Key key(rollout.writer_id(), rollout.sequence());
    const auto writer = writers_.find(key.first);
    if (writer != writers_.end() && writer->second.used.Contains(key.second)) {
      ++duplicates_;
      continue;
    }
    const auto [handed_out, is_fresh] = handed_out_.emplace(key, lease);
    waits_for.insert(handed_out->second);
    if (is_fresh) {
      own->second.push_back(key);
      fresh->push_back(std::move(rollout));
    } else {
      ++duplicates_;
    }
  }
  if (!waits_for.empty()) return {};
  server_leases_.erase(server_lease);
  return {server_lease};
}

absl::StatusOr<std::vector<uint64_t>> LeaseLedger::Acknowledge(uint64_t lease) {
  const auto own = leases_.find(lease);
  if (own == leases_.end())
    return absl::NotFoundError(absl::StrCat("lease ", lease, " is not open"));
  for (const Key& key : own->second) Use(key);
  leases_.erase(own);
  ForgetOldWriters();
  std::vector<uint64_t> done;
  for (auto& [server_lease, waits_for] : server_leases_)
    if (waits_for.erase(lease) == 1 && waits_for.empty()) done.push_back(server_lease);
  for (uint64_t server_lease : done) server_leases_.erase(server_lease);
  std::sort(done.begin(), done.end());
  return done;
}

void LeaseLedger::Use(const Key& key) {
  handed_out_.erase(key);
  Writer& writer = writers_.try_emplace(key.first, Writer{SequenceSet(kMostGaps), 0}).first->second;
  writer.used.Insert(key.second);
  writer.last_heard = ++clock_;
}

// Half at a time, so that its cost is spread over as many acknowledgements.
void LeaseLedger::ForgetOldWriters() {
  if (writers_.size() <= 2 * most_writers_) return;
  std::vector<uint64_t> heard;
  heard.reserve(writers_.size());
  for (const auto& [id, writer] : writers_) heard.push_back(writer.last_heard);
  const auto oldest_kept = heard.end() - static_cast<ptrdiff_t>(most_writers_);
  std::nth_element(heard.begin(), oldest_kept, heard.end());
  const uint64_t limit = *oldest_kept;
  absl::erase_if(writers_, [limit](const auto& entry) { return entry.second.last_heard < limit; });
}

}  // namespace cadre
