// The highest version that any life of a learner has published, kept in the run's folder:
// a learner that dies with its parameter server continues above it, although nobody is left
// who could say which versions the actors hold. See docs/decisions/010-*.md. One thread.
//
// The file holds two numbers. `published` is written before each publication and outlives
// the process; `reserved`, which is never less, is synced to the disk and outlives the
// machine. Which of the two counts, the machine's boot id says.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/ports.h"

namespace cadre {

// Names the machine's life; empty if the system does not say.
std::string BootId();

class VersionRecord final {
 public:
  // Reads the record in `path`; writes nothing. DATA_LOSS: the file is no record.
  static absl::StatusOr<std::unique_ptr<VersionRecord>> Open(const std::string& path,
                                                             const std::string& boot = BootId());
  ~VersionRecord();
  VersionRecord(const VersionRecord&) = delete;
  VersionRecord& operator=(const VersionRecord&) = delete;

  // No version above it has been published. 0: none has.
  int64_t highest() const { return highest_; }

  // Call before `version` is published. OK and without effect if it is not above highest().
  absl::Status Add(int64_t version);

 private:
  VersionRecord(std::string path, std::string boot) : path_(std::move(path)), boot_(boot) {}

  absl::Status Reserve(int64_t version);

  const std::string path_;
  const std::string boot_;
  int64_t highest_ = 0;
  int64_t reserved_ = 0;  // By this life.
  int fd_ = -1;           // Open once something is reserved.
};

// The record of learner `rank` in a run's folder.
std::string VersionRecordPath(absl::string_view run_folder, int32_t rank);

// Records each version before `sink` publishes it. Both must outlive it.
class RecordingParameterSink final : public ParameterSink {
 public:
  RecordingParameterSink(ParameterSink* sink, VersionRecord* record)
      : sink_(sink), record_(record) {}

  absl::Status Publish(ParametersPtr parameters) override;
  absl::Status SetRunState(v1::RunState state) override { return sink_->SetRunState(state); }
  void CutShort() override { sink_->CutShort(); }
  void Close() override { sink_->Close(); }

 private:
  ParameterSink* const sink_;
  VersionRecord* const record_;
};

}  // namespace cadre
