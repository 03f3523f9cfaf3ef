// Where one Append stream puts its rollouts: a queue or a table, as far as the two are
// alike to a writer. The payload of a message is copied once: a queue's into a
// v1::Rollout, which is moved from then on, a table's from the slices that it came in
// to its rows.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpcpp/support/byte_buffer.h"
#include "proto/experience.pb.h"
#include "replay_server/service/experience_directory.h"

namespace cadre {

class AppendTarget {
 public:
  using SettledListener = std::function<void(uint64_t settled_sequence)>;
  using AppendDone = absl::AnyInvocable<void(uint64_t sequence, absl::Status status)>;

  virtual ~AppendTarget() = default;

  // Whether Open returns at once. Otherwise it may wait for a disk.
  virtual bool opens_at_once() const = 0;

  // First of all, once. Returns the last sequence that the writer has settled.
  virtual absl::StatusOr<uint64_t> Open(const v1::AppendOpen& open, SettledListener listener) = 0;

  // Takes the rollout of an AppendRequest, one at a time; `done` gets its sequence and
  // a status as Queue::Append and Table::Append give it. INVALID_ARGUMENT where the
  // message is none with a rollout: then `done` is dropped.
  virtual absl::Status Append(const grpc::ByteBuffer& message, AppendDone done) = 0;

  // After an Open that was OK: cancels what waits. Any thread.
  virtual void Close() = 0;
};

// NOT_FOUND as ExperienceDirectory has it.
absl::StatusOr<std::unique_ptr<AppendTarget>> FindAppendTarget(const ExperienceDirectory& directory,
                                                               absl::string_view name);

}  // namespace cadre
