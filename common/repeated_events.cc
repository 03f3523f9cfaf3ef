#include "common/repeated_events.h"

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
  if (sources_.size() >= kMostSources && !sources_.contains(source)) ForgetQuiet(now);
  Kinds& kinds = sources_[source];
  std::string name = WithoutNumbers(text);
  if (kinds.size() >= kMostKinds && !kinds.contains(name)) name = "other reasons";
  const auto [it, first] = kinds.try_emplace(std::move(name));
  Kind& kind = it->second;
  ++kind.since;
  if (!first && now - kind.logged < kInterval) return 0;
  kind.logged = now;
  return std::exchange(kind.since, 0);
}

std::vector<RepeatedEvents::Unlogged> RepeatedEvents::TakeUnlogged(uint64_t source) {
  std::vector<Unlogged> unlogged;
  const auto it = sources_.find(source);
  if (it == sources_.end()) return unlogged;
  for (auto& [name, kind] : it->second)
    if (kind.since > 0) unlogged.push_back({name, std::exchange(kind.since, 0)});
  return unlogged;
}

void RepeatedEvents::ForgetQuiet(Time now) {
  absl::erase_if(sources_, [now](const auto& source) {
    return std::all_of(source.second.begin(), source.second.end(),
                       [now](const auto& kind) { return now - kind.second.logged >= kInterval; });
  });
}

std::string TimesText(int64_t count) {
  return count <= 1 ? "" : absl::StrCat(" (", count, " times since it was last logged)");
}

}  // namespace cadre
