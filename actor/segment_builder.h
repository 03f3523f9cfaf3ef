// Turns batched steps into a rollout: for each environment its steps in order, cut
// into segments at episode ends. Each row is copied once, to where it will stay;
// only an episode that ends inside the rollout makes later observations move up by
// one. Knows columns as bytes and rows; not what they mean. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "common/spaces.h"
#include "proto/experience.pb.h"

namespace cadre {

class SegmentBuilder {
 public:
  // For N environments and T steps of each. `spec`: the columns with a row for each
  // observation come first; there is one at least.
  SegmentBuilder(const v1::ExperienceSpec& spec, int64_t environments, int64_t length);

  // What the next step's actions are chosen from, [N] rows of each of those columns.
  void AddObservations(ShownBlocks observations);

  // Another column of that step: [N] rows.
  void AddColumn(int index, absl::Span<const std::byte> rows);

  // Ends the step. Environment i's episode ended where `terminated` or `truncated`
  // [N] is 1; its last observation is then row i of `final_observations`.
  void EndStep(absl::Span<const uint8_t> terminated, absl::Span<const uint8_t> truncated,
               ShownBlocks final_observations);

  int64_t steps() const { return step_; }  // Ended, of each environment.
  bool full() const { return step_ == length_; }

  // The rollout of the T steps; `observations` follow the last of them. The builder is
  // empty afterwards. Fills segments and columns only.
  v1::Rollout Finish(ShownBlocks observations);

 private:
  // An episode that ended with step `step` of `environment`.
  struct End {
    int64_t environment;
    int64_t step;
    v1::SegmentEnd kind;
    std::vector<std::string> final_observation;  // By column.
  };

  void Allocate();
  // Makes room in a column for the final observations of episodes that ended before the
  // last step.
  void InsertFinalObservations(int column_index);

  const int64_t environments_, length_;
  std::vector<int64_t> row_bytes_;      // By column.
  int shown_ = 0;                       // Columns with a row for each observation.
  v1::Rollout rollout_;                 // Columns in their places: [N, T (+ 1)] rows.
  std::vector<std::vector<End>> ends_;  // By environment, in the order of steps.
  int64_t step_ = 0;
};

}  // namespace cadre
