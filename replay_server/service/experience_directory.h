// The queues and tables that a server hosts, by name. Constant after construction.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "replay_server/storage/queue.h"
#include "replay_server/storage/table.h"

namespace cadre {

class ExperienceDirectory {
 public:
  // They must outlive it. No two may have the same name.
  ExperienceDirectory(std::vector<Queue*> queues, std::vector<Table*> tables)
      : queues_(std::move(queues)), tables_(std::move(tables)) {}

  // NOT_FOUND with the names that there are.
  absl::StatusOr<Queue*> FindQueue(absl::string_view name) const {
    if (Queue* queue = Find(queues_, name)) return queue;
    return NotFound("queue", name);
  }
  absl::StatusOr<Table*> FindTable(absl::string_view name) const {
    if (Table* table = Find(tables_, name)) return table;
    return NotFound("table", name);
  }
  absl::StatusOr<std::variant<Queue*, Table*>> FindEither(absl::string_view name) const {
    if (Queue* queue = Find(queues_, name)) return queue;
    if (Table* table = Find(tables_, name)) return table;
    return NotFound("queue or table", name);
  }

  const std::vector<Queue*>& queues() const { return queues_; }
  const std::vector<Table*>& tables() const { return tables_; }

 private:
  static absl::string_view NameOf(const Queue* queue) { return queue->options().name; }
  static absl::string_view NameOf(const Table* table) { return table->options().config.name(); }

  template <typename T>
  static T* Find(const std::vector<T*>& all, absl::string_view name) {
    for (T* one : all)
      if (NameOf(one) == name) return one;
    return nullptr;
  }

  template <typename T>
  static std::string Names(const std::vector<T*>& all) {
    if (all.empty()) return "none";
    return absl::StrJoin(all, ", ",
                         [](std::string* out, const T* one) { absl::StrAppend(out, NameOf(one)); });
  }

  absl::Status NotFound(absl::string_view kind, absl::string_view name) const {
    return absl::NotFoundError(absl::StrCat("there is no ", kind, " '", name, "'; queues: ",
                                            Names(queues_), "; tables: ", Names(tables_)));
  }

  const std::vector<Queue*> queues_;
  const std::vector<Table*> tables_;
};

}  // namespace cadre
