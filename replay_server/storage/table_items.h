// What a table holds: segments in rows, the items that begin in them, who is sampled
// next and who has to go. Everything that the table's lock protects of it; the columns
// themselves are read and written elsewhere (row_storage.h, table_gather.h). Pure: no
// threads, randomness is an argument. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/random.h"
#include "proto/config.pb.h"
#include "proto/experience.pb.h"
#include "replay_server/selectors/selector.h"
#include "replay_server/storage/episode_tracks.h"
#include "replay_server/storage/item_windows.h"
#include "replay_server/storage/row_storage.h"
#include "replay_server/storage/segment_table.h"

namespace cadre {

// Rows that one rollout was given, to be filled.
struct TakenRows {
  std::vector<uint32_t> ids;  // Of its segments, in their order.
  std::vector<SegmentRows> segments;
};

// Where the items of a batch stand: what a gather reads. Kept from batch to batch for
// its memory.
struct SampledItems {
  // By the caller, [B] each.
  absl::Span<uint64_t> keys;
  absl::Span<float> probabilities;
  absl::Span<int64_t> ages;

  std::vector<Window> windows;  // [B]
  // Rows of the steps, in order; those of item i end at run_ends[i]. Empty where every
  // item is a single step.
  std::vector<RowRun> runs;
  std::vector<uint32_t> run_ends;  // [B]
};

class TableItems {
 public:
  // For so many rows. `seed`: of what it removes by chance.
  static absl::StatusOr<std::unique_ptr<TableItems>> Create(const TableConfig& config, int64_t rows,
                                                            uint64_t seed);

  // --- Inserting: TakeRows, fill them, Commit. ---

  // Items that these segments would complete, if nothing goes before.
  int64_t CountItems(uint64_t writer, absl::Span<const v1::Segment> segments) const;

  // Removes segments until so many rows are free. False where they cannot be taken yet:
  // a gather reads them, or others are filling theirs.
  bool MakeRoom(int64_t rows);
  TakenRows TakeRows(absl::Span<const v1::Segment> segments);

  // `first_step`: number of the first among all that were inserted. `priorities`: one
  // for each step, or none for the largest ever seen. Returns how many items there are
  // now that were not before.
  int64_t Commit(const TakenRows& rows, uint64_t writer, absl::Span<const v1::Segment> segments,
                 absl::Span<const float> priorities, int64_t first_step);

  // Steps of this writer are missing from here on: nothing leads across them, and the items
  // that lack some of them never come.
  void BreakEpisodes(uint64_t writer) { tracks_.RemoveAllOf(writer); }

  // Episodes that go on and of which steps are held, where items are longer than a step: in
  // all, and of each writer.
  int64_t open_episodes() const { return tracks_.size(); }
  absl::flat_hash_map<uint64_t, int64_t> OpenEpisodesByWriter() const { return tracks_.ByWriter(); }

  // --- Sampling ---

  // Whether there are so many to be sampled, each as often as it may be.
  bool Has(int64_t items) const { return draws_left_ >= items && size() > 0; }

  // Chooses out->keys.size() items, which there must be. They are read under a gather
  // begun before (segments().BeginGather), as some may go by being chosen.
  // `inserted_steps`: all steps ever.
  void Select(Random& random, int64_t inserted_steps, SampledItems* out);

  // False where the item is gone.
  bool SetPriority(uint64_t key, float priority);
  // For those that SetPriority is called with next.
  void Prefetch(uint64_t key) const;

  void Clear();

  // --- Checkpoints ---

  // In two parts, as segments().SaveScalars and SaveRows, with nothing inserted, removed
  // or updated between them.
  void SaveScalars(StateWriter& writer) const;
  void SaveRows(StateWriter& writer) const;
  // Both, of an empty table; see StateReader for errors.
  void Restore(StateReader& reader);

  int64_t size() const { return sampler_->size(); }
  double mass() const { return sampler_->mass(); }
  int64_t removed() const { return removed_; }
  int64_t bytes() const { return bytes_; }
  SegmentTable& segments() { return segments_; }
  const SegmentTable& segments() const { return segments_; }

 private:
  TableItems(const TableConfig& config, SegmentTable segments, uint64_t seed);

  void CheckTracks(StateReader& reader) const;

  int64_t AddItems(uint32_t segment, uint64_t writer, int32_t environment);
  void AddItem(uint32_t row);
  void RemoveItem(uint32_t row);
  // Until there are at most so many.
  void RemoveItemsDownTo(int64_t items);
  void RemoveSegment(uint32_t segment);
  uint32_t NextToGo();

  // Whether items begin in the segment that are not complete yet.
  bool HasOpenStarts(const Segment& segment) const;
  // The episode of a segment that goes: its open items that need it will not be.
  void LeaveTrack(uint32_t segment);

  void SelectOne(Random& random, int64_t inserted_steps, int64_t i, SampledItems* out);
  void Describe(const Selection& selection, int64_t inserted_steps, int64_t i,
                SampledItems* out) const;
  // After a change of its items, where the remover goes by priority.
  void UpdateRemover(uint32_t segment);
  double SegmentPriority(uint32_t segment) const;

  const WindowShape shape_;
  const bool single_rows_;           // Windows are one step, and need no runs.
  const int64_t capacity_items_;     // 0: no limit but the rows.
  const int64_t max_times_sampled_;  // 0: no limit.
  const bool sampled_singly_;        // The choice of one item depends on the one before.
  const bool removed_by_priority_;
  const int64_t bytes_;

  SegmentTable segments_;
  const std::unique_ptr<Selector> sampler_;  // Of rows where items begin.
  const std::unique_ptr<Selector> remover_;  // Of segments.
  EpisodeTracks tracks_;                     // Unused where every step is an item.
  Random removal_random_;
  float largest_priority_ = 1;
  int64_t draws_left_;  // How often the items may still be sampled, together.
  int64_t removed_ = 0;
  std::vector<Selection> selections_;  // Only for its memory.
};

}  // namespace cadre
