// The queues that a server hosts, by name. Constant after construction.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "replay_server/queue.h"

namespace cadre {

class QueueDirectory {
 public:
  // The queues must outlive it.
  explicit QueueDirectory(std::vector<Queue*> queues) : queues_(std::move(queues)) {}

  // NOT_FOUND with the names that there are.
  absl::StatusOr<Queue*> Find(absl::string_view name) const {
    for (Queue* queue : queues_)
      if (queue->options().name == name) return queue;
    return absl::NotFoundError(
        absl::StrCat("got queue '", name, "'; wanted one of: ",
                     absl::StrJoin(queues_, ", ", [](std::string* out, const Queue* queue) {
                       out->append(queue->options().name);
                     })));
  }

  const std::vector<Queue*>& queues() const { return queues_; }

 private:
  const std::vector<Queue*> queues_;
};

}  // namespace cadre
