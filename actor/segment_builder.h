// Turns batched steps into a rollout: for each environment its steps in order, cut
// into segments at episode ends. Each row is copied once, to where it will stay;
// only an episode that ends inside the rollout makes later observations move up by
// one. A step that an environment skipped is left out: then all rows are copied once more, and
// the rollout has more steps of the other environments instead. Knows columns as bytes and rows;
// not what they mean. Not thread-safe.
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
  // Where `skipped` is 1 (empty: nowhere) there was no step, and an episode that was running is
  // lost: it ends truncated before the step, in what is then its last observation. There the
  // learner bootstraps, as at any truncation. If the rollout before had that observation last and
  // was cut there, the step is recorded after all, with the reward that came with it, as
  // truncated in the observation that it began with.
  void EndStep(absl::Span<const uint8_t> terminated, absl::Span<const uint8_t> truncated,
               ShownBlocks final_observations, absl::Span<const uint8_t> skipped = {});

  int64_t steps() const { return step_; }  // Ended, of each environment.
  // N * T steps are recorded, or a few more if some were skipped.
  bool full() const { return recorded_ >= environments_ * length_; }

  // The rollout of the steps; `observations` follow the last of them. The builder is
  // empty afterwards. Fills segments and columns only.
  v1::Rollout Finish(ShownBlocks observations);

 private:
  // An episode that ended with step `step` of `environment`, or a step that is left out.
  struct End {
    int64_t environment;
    int64_t step;
    v1::SegmentEnd kind;
    std::vector<std::string> final_observation;  // By column.
    bool skipped = false;
  };
  // A segment: steps [begin, end) of an environment.
  struct Piece {
    int64_t begin, end;
    v1::SegmentEnd kind;
    const End* ended = nullptr;  // With the final observation, unless that is row `end`.
  };

  void Allocate();
  void Skip(int64_t environment);
  // Makes room for steps in the place of those that were skipped.
  void Grow();
  std::vector<Piece> PiecesOf(int64_t environment) const;
  // The columns without what was skipped.
  void CopyPieces(const std::vector<std::vector<Piece>>& pieces);
  // Makes room in a column for the final observations of episodes that ended before the
  // last step.
  void InsertFinalObservations(int column_index);

  const int64_t environments_, length_;
  std::vector<int64_t> row_bytes_;  // By column.
  int shown_ = 0;                   // Columns with a row for each observation.
  int64_t capacity_ = 0;            // Steps that there is room for; T, unless some are skipped.
  int64_t recorded_ = 0;            // Of all environments.
  bool any_skipped_ = false;
  std::vector<bool> open_;              // [N]: an episode goes on from the rollout before.
  v1::Rollout rollout_;                 // Columns in their places: [N, capacity (+ 1)] rows.
  std::vector<std::vector<End>> ends_;  // By environment, in the order of steps.
  int64_t step_ = 0;
};

}  // namespace cadre
