#include "learner/parallel/update_agreement.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "learner/algorithms/device/tensor_spans.h"
#include "learner/algorithms/optimization/collective_sums.h"

namespace cadre {
namespace {

// The episodes of all, in the order of ranks; `counts` [size] of each.
absl::StatusOr<std::vector<v1::Episode>> GatherEpisodes(Collective& collective,
                                                        const std::vector<v1::Episode>& mine,
                                                        absl::Span<const int64_t> counts) {
  int64_t total = 0, row = 0;
  for (int rank = 0; rank < collective.size(); ++rank) {
    if (rank == collective.rank()) row = total;
    total += counts[rank];
  }
  std::vector<v1::Episode> all(total);
  std::vector<double> numbers(2 * total, 0.0);
  for (const v1::Episode& episode : mine) {
    numbers[2 * row] = episode.total_reward();
    numbers[2 * row + 1] = static_cast<double>(episode.length());
    ++row;
  }
  CADRE_RETURN_IF_ERROR(SumOverLearners(&collective, absl::MakeSpan(numbers)));
  for (int64_t i = 0; i < total; ++i) {
    all[i].set_total_reward(numbers[2 * i]);
    all[i].set_length(static_cast<int64_t>(numbers[2 * i + 1]));
  }
  return all;
}

// Rank 0's bytes, on all.
absl::StatusOr<std::string> Broadcast(Collective& collective, std::string mine) {
  const bool first = collective.rank() == 0;
  torch::Tensor size = torch::tensor({first ? static_cast<int64_t>(mine.size()) : 0});
  CADRE_RETURN_IF_ERROR(collective.Sum(size));
  torch::Tensor bytes = torch::zeros({size.item<int64_t>()}, torch::kUInt8);
  if (first) std::memcpy(bytes.data_ptr<uint8_t>(), mine.data(), mine.size());
  if (bytes.numel() > 0) CADRE_RETURN_IF_ERROR(collective.Sum(bytes));
  return std::string(reinterpret_cast<const char*>(bytes.data_ptr<uint8_t>()),
                     static_cast<size_t>(bytes.numel()));
}

absl::StatusOr<TensorMap> BroadcastTensors(Collective& collective, const TensorMap& mine) {
  std::string encoded;
  if (collective.rank() == 0) {
    CADRE_ASSIGN_OR_RETURN(encoded, EncodeSafetensors(mine, {}));
  }
  CADRE_ASSIGN_OR_RETURN(encoded, Broadcast(collective, std::move(encoded)));
  CADRE_ASSIGN_OR_RETURN(Safetensors decoded, DecodeSafetensors(encoded, "learner 0's state"));
  return std::move(decoded.tensors);
}

}  // namespace

absl::StatusOr<UpdateShare> CombineShares(Collective* collective, UpdateShare mine) {
  if (collective == nullptr) return mine;
  CADRE_ASSIGN_OR_RETURN(
      const torch::Tensor rows,
      GatherRows(collective,
                 {mine.go_on ? 1.0 : 0.0, static_cast<double>(mine.steps),
                  static_cast<double>(mine.version_lag), static_cast<double>(mine.inserted_steps),
                  static_cast<double>(mine.table_items), static_cast<double>(mine.episodes.size()),
                  mine.largest_weight, mine.usable ? 1.0 : 0.0}));
  UpdateShare all = {.inserted_steps = std::numeric_limits<int64_t>::max(),
                     .table_items = std::numeric_limits<int64_t>::max()};
  std::vector<int64_t> episodes;
  const absl::Span<const double> numbers = Flat<double>(rows);
  for (int rank = 0; rank < collective->size(); ++rank) {
    const absl::Span<const double> row = RowOf(numbers, rank, rows.size(1));
    all.go_on &= row[0] > 0;
    all.steps += static_cast<int64_t>(row[1]);
    all.version_lag = std::max(all.version_lag, static_cast<int64_t>(row[2]));
    all.inserted_steps = std::min(all.inserted_steps, static_cast<int64_t>(row[3]));
    all.table_items = std::min(all.table_items, static_cast<int64_t>(row[4]));
    episodes.push_back(static_cast<int64_t>(row[5]));
    all.largest_weight = std::max(all.largest_weight, row[6]);
    all.usable &= row[7] > 0;
  }
  if (!all.go_on) return UpdateShare{.go_on = false};
  if (std::any_of(episodes.begin(), episodes.end(), [](int64_t count) { return count > 0; })) {
    CADRE_ASSIGN_OR_RETURN(all.episodes, GatherEpisodes(*collective, mine.episodes, episodes));
  }
  return all;
}

absl::StatusOr<std::vector<RowMoments>> GatherMoments(Collective* collective,
                                                      const RowMoments& mine) {
  const int64_t size = static_cast<int64_t>(mine.mean.size());
  std::vector<double> row{mine.count};
  row.insert(row.end(), mine.mean.begin(), mine.mean.end());
  row.insert(row.end(), mine.squares.begin(), mine.squares.end());
  CADRE_ASSIGN_OR_RETURN(const torch::Tensor gathered, GatherRows(collective, row));
  std::vector<RowMoments> all;
  for (int64_t rank = 0; rank < gathered.size(0); ++rank) {
    const absl::Span<const double> values =
        RowOf(absl::Span<const double>(Flat<double>(gathered)), rank, 1 + 2 * size);
    RowMoments& moments = all.emplace_back();
    moments.count = values[0];
    moments.mean.assign(values.begin() + 1, values.begin() + 1 + size);
    moments.squares.assign(values.begin() + 1 + size, values.end());
  }
  return all;
}

absl::Status AgreeOnKernels(Collective& collective, bool on_cpu_kernels) {
  CADRE_ASSIGN_OR_RETURN(const torch::Tensor rows,
                         GatherRows(&collective, {on_cpu_kernels ? 1.0 : 0.0}));
  const absl::Span<const double> on_cpu = Flat<double>(rows);
  const auto place = [&](int rank) { return on_cpu[rank] > 0 ? "the CPU" : "a device"; };
  for (int rank = 1; rank < collective.size(); ++rank)
    if (on_cpu[rank] != on_cpu[0])
      return absl::InvalidArgumentError(absl::StrCat(
          "--device: learner ", rank, " computes on ", place(rank), "; wanted ", place(0),
          ", as learner 0 does: all learners on the CPU, or all on devices"));
  return absl::OkStatus();
}

absl::StatusOr<Checkpoint> CheckpointOfFirst(Collective& collective, const Checkpoint& mine) {
  Checkpoint all;
  CADRE_ASSIGN_OR_RETURN(const std::string manifest,
                         Broadcast(collective, mine.manifest.SerializeAsString()));
  if (!all.manifest.ParseFromString(manifest))
    return absl::InternalError("learner 0 sent a manifest that is none");
  CADRE_ASSIGN_OR_RETURN(all.parameters, BroadcastTensors(collective, mine.parameters));
  CADRE_ASSIGN_OR_RETURN(all.state, BroadcastTensors(collective, mine.state));
  return all;
}

}  // namespace cadre
