#include "rpc/shards/shard_choice.h"

#include <algorithm>

#include "common/check.h"

namespace cadre {
namespace {

constexpr double kMoves = 0.5;  // The chance of an actor that is needed elsewhere.

size_t OneOf(const std::vector<size_t>& shards, double uniform) {
  const auto index = static_cast<size_t>(uniform * static_cast<double>(shards.size()));
  return shards[std::min(index, shards.size() - 1)];
}

}  // namespace

void ShardChoice::Note(const ShardNews& news, bool busy, Seen& seen) {
  if (!news.answers) {
    ++seen.silent;
    seen.quiet = 0;
    return;
  }
  seen.silent = 0;
  const bool fed = news.inserted_steps != seen.inserted_steps || !news.wants;
  seen.inserted_steps = news.inserted_steps;
  if (fed)
    seen.quiet = 0;
  else if (busy)
    ++seen.quiet;
}

std::vector<size_t> ShardChoice::Others(bool unfed) const {
  std::vector<size_t> others;
  for (size_t i = 0; i < seen_.size(); ++i) {
    const bool wanted = unfed ? seen_[i].quiet >= kPatience : seen_[i].inserted_steps >= 0;
    if (i != current_ && seen_[i].silent == 0 && wanted) others.push_back(i);
  }
  return others;
}

size_t ShardChoice::Next(absl::Span<const ShardNews> news, bool busy, double uniform) {
  CADRE_CHECK(news.size() == seen_.size());
  for (size_t i = 0; i < seen_.size(); ++i) Note(news[i], busy, seen_[i]);
  ++rounds_here_;
  const bool lost = seen_[current_].silent >= kPatience;
  std::vector<size_t> others = Others(/*unfed=*/true);
  if (others.empty() && lost) others = Others(/*unfed=*/false);
  if (others.empty()) return current_;
  if (!lost) {
    if (rounds_here_ < kPatience || uniform >= kMoves) return current_;
    uniform /= kMoves;  // Again in [0, 1).
  }
  MoveTo(OneOf(others, uniform));
  return current_;
}

size_t ShardChoice::NextIfHeldBack(absl::Span<const ShardNews> news, double uniform) {
  std::vector<size_t> others;
  for (size_t i = 0; i < news.size(); ++i)
    if (i != current_ && news[i].answers && news[i].starves) others.push_back(i);
  if (!others.empty() && uniform < kMoves) MoveTo(OneOf(others, uniform / kMoves));
  return current_;
}

void ShardChoice::MoveTo(size_t shard) {
  current_ = shard;
  seen_[current_].quiet = 0;
  rounds_here_ = 0;
}

}  // namespace cadre
