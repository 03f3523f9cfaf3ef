// Scalars for TensorBoard: an event file of TFRecord frames (length, masked CRC-32C
// of the length, payload, masked CRC-32C of the payload), each payload an Event of
// proto/tensorboard_event.proto.
//
// Not thread-safe: one thread writes. Readers may come at any time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "learner/run_folder/appended_file.h"

namespace cadre {

// One TFRecord frame.
std::string TfRecord(absl::string_view payload);

class EventWriter {
 public:
  using Scalars = std::vector<std::pair<std::string, double>>;  // Tag and value.

  // Starts a new file `events.out.tfevents.<seconds>.<n>` in `folder`, beside those
  // that are there. TensorBoard will forget what older files say of `void_from_step`
  // and later steps, for a run that is resumed from before them.
  static absl::StatusOr<std::unique_ptr<EventWriter>> Create(
      absl::string_view folder, absl::Time now, std::optional<int64_t> void_from_step = {});

  // Writes one event and hands it to the operating system. After an error (a full
  // disk, say) the file is as it was before the call.
  absl::Status Write(int64_t step, const Scalars& scalars, absl::Time now);

  const std::string& path() const { return file_->path(); }

 private:
  explicit EventWriter(std::unique_ptr<AppendedFile> file) : file_(std::move(file)) {}

  const std::unique_ptr<AppendedFile> file_;
};

}  // namespace cadre
