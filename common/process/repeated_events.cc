#include "common/process/repeated_events.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace cadre {
namespace {

// Every run of digits becomes one '#'.
std::string WithoutNumbers(absl::string_view text) {
  std::string kind;
  for (const char c : text) {
    if (!absl::ascii_isdigit(c))
      kind.push_back(c);
    else if (kind.empty() || kind.back() != '#')
      kind.push_back('#');
  }
  return kind;
}

}  // namespace

int64_t RepeatedEvents::Count(uint64_t source, absl::string_view text, Time now) {
  auto& kinds = SourceOf(source, now).kinds;
  std::string name = WithoutNumbers(text.substr(0, kLongestKind));
  if (kinds.size() >= kMostKinds && !kinds.contains(name)) name = "other reasons";
  const auto [it, first] = kinds.try_emplace(std::move(name));
  Kind& kind = it->second;
  ++kind.since;
  if (!first && now - kind.logged < kInterval) return 0;
  kind.logged = now;
  return std::exchange(kind.since, 0);
}

std::vector<RepeatedEvents::Unlogged> RepeatedEvents::TakeUnlogged(uint64_t source, Time now) {
  std::vector<Unlogged> unlogged;
  const auto it = sources_.find(source);
  if (it == sources_.end()) return unlogged;
  std::optional<Time>& taken = it->second.taken;
  if (taken.has_value() && now - *taken < kInterval) return unlogged;
  for (auto& [name, kind] : it->second.kinds)
    if (kind.since > 0) unlogged.push_back({name, std::exchange(kind.since, 0)});
  if (!unlogged.empty()) taken = now;
  return unlogged;
}

RepeatedEvents::Source& RepeatedEvents::SourceOf(uint64_t source, Time now) {
  if (const auto it = sources_.find(source); it != sources_.end()) return it->second;
  if (sources_.size() >= kMostSources) ForgetQuiet(now);
  return sources_.size() < kMostSources ? sources_[source] : others_;
}

void RepeatedEvents::ForgetQuiet(Time now) {
  absl::erase_if(sources_, [now](const auto& source) {
    const auto& kinds = source.second.kinds;
    return std::all_of(kinds.begin(), kinds.end(),
                       [now](const auto& kind) { return now - kind.second.logged >= kInterval; });
  });
}

std::string TimesText(int64_t count) {
  return count <= 1 ? "" : absl::StrCat(" (", count, " times since it was last logged)");
}

}  // namespace cadre
