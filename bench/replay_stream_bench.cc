// Inserting into and sampling from a replay table of another process: one server and one
// client process on this machine, and beside each figure a plain gRPC stream of messages
// of the same size, measured in turns with it. One JSON line for each.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "bench/plain_stream.h"
#include "bench/server_process.h"
#include "common/check.h"
#include "common/experience/experience_spec.h"
#include "common/process/flags.h"
#include "common/random.h"
#include "rpc/client/experience_client.h"
#include "rpc/client/replay_source.h"
#include "rpc/server/free_port.h"

namespace cadre {
namespace {

constexpr char kRun[] = "bench";
constexpr int32_t kSegmentLength = 64;

struct Workload {
  std::string name;
  v1::ExperienceSpec spec;
  bool prioritized = false;
  int32_t segments = 8;  // Of a rollout.
  int64_t batch = 1024;
  int64_t capacity_bytes = int64_t{1} << 29;
};

v1::ColumnSpec Column(const char* name, v1::DType dtype, std::vector<int64_t> shape,
                      bool per_observation = false) {
  v1::ColumnSpec column;
  column.set_name(name);
  column.set_dtype(dtype);
  column.mutable_shape()->Assign(shape.begin(), shape.end());
  column.set_per_observation(per_observation);
  return column;
}

Workload CartPole(bool prioritized) {
  Workload work;
  work.name = prioritized ? "CartPole transitions, prioritised" : "CartPole transitions, uniform";
  *work.spec.add_columns() = Column("obs", v1::DTYPE_FLOAT32, {4}, true);
  *work.spec.add_columns() = Column("action", v1::DTYPE_INT32, {});
  *work.spec.add_columns() = Column("reward", v1::DTYPE_FLOAT32, {});
  work.prioritized = prioritized;
  work.capacity_bytes = int64_t{1} << 26;
  return work;
}

// Large rows: fewer of them in a message.
Workload Large(const std::string& name, v1::ColumnSpec column) {
  const int64_t bytes = RowBytes(column);
  Workload work;
  work.name = name;
  *work.spec.add_columns() = std::move(column);
  work.segments = static_cast<int32_t>(
      std::clamp<int64_t>((int64_t{1} << 20) / (bytes * kSegmentLength), 1, 8));
  work.batch = std::clamp<int64_t>((int64_t{1} << 22) / bytes, 8, 1024);
  return work;
}

v1::Rollout MakeRollout(const Workload& work) {
  v1::Rollout rollout;
  // A segment of large rows alone would be too large a message.
  const int64_t row = RowBytes(work.spec.columns(0));
  const auto length =
      static_cast<int32_t>(std::clamp<int64_t>((int64_t{1} << 22) / row, 1, kSegmentLength));
  for (int32_t i = 0; i < work.segments; ++i) {
    v1::Segment* const segment = rollout.add_segments();
    segment->set_length(length);
    segment->set_end(v1::SEGMENT_END_TERMINATED);
    segment->set_environment(i);
  }
  Random random(1);
  for (const v1::ColumnSpec& column : work.spec.columns()) {
    const int64_t rows = work.segments * int64_t{column.per_observation() ? length + 1 : length};
    std::string bytes(static_cast<size_t>(rows * RowBytes(column)), '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    // Finite, or the table refuses them: not all bits of the exponent are ones.
    if (column.dtype() == v1::DTYPE_FLOAT32)
      for (size_t i = 3; i < bytes.size(); i += 4) bytes[i] = static_cast<char>(bytes[i] & 0xbf);
    rollout.add_columns(std::move(bytes));
  }
  return rollout;
}

struct Rate {
  double messages = 0;  // A second, as are the others.
  double transitions = 0;
  int64_t message_bytes = 0;
};

Rate MeasureInsert(const std::string& address, const Workload& work, absl::Duration duration) {
  ExperienceSinkOptions options;
  options.address = address;
  options.run_id = kRun;
  options.target = "replay";
  options.spec = work.spec;
  const auto sink = RemoteExperienceSink::Create(options);
  CADRE_CHECK(sink.ok());
  const v1::Rollout rollout = MakeRollout(work);
  // Each page of the table has been touched once before the clock starts.
  for (int64_t bytes = 0; bytes < work.capacity_bytes; bytes += RolloutBytes(rollout))
    CADRE_CHECK((*sink)->Append(rollout).ok());
  CADRE_CHECK((*sink)->Flush(absl::Seconds(60)).ok());
  const absl::Time start = absl::Now();
  int64_t messages = 0;
  for (; absl::Now() < start + duration; ++messages) CADRE_CHECK((*sink)->Append(rollout).ok());
  CADRE_CHECK((*sink)->Flush(absl::Seconds(60)).ok());
  const double rate = static_cast<double>(messages) / absl::ToDoubleSeconds(absl::Now() - start);
  return {rate, rate * static_cast<double>(RolloutSteps(rollout)),
          static_cast<int64_t>(rollout.ByteSizeLong())};
}

Rate MeasureSample(const std::string& address, const Workload& work, absl::Duration duration) {
  ReplaySourceOptions options;
  options.address = address;
  options.run_id = kRun;
  options.spec = work.spec;
  const auto source = RemoteReplaySource::Create(options);
  CADRE_CHECK(source.ok());
  SampleOptions sample;
  sample.items = work.batch;
  sample.importance_exponent = work.prioritized ? 0.5 : 0;
  int64_t bytes = 0;
  const auto take = [&] {
    const absl::StatusOr<ReplayBatch> batch = (*source)->Sample(sample);
    CADRE_CHECK(batch.ok());
    bytes = batch->items * static_cast<int64_t>(2 * sizeof(float) + 2 * sizeof(int64_t));
    for (const TensorView& column : batch->columns)
      bytes += static_cast<int64_t>(column.bytes.size());
  };
  for (const absl::Time warm = absl::Now() + absl::Milliseconds(300); absl::Now() < warm;) take();
  const absl::Time start = absl::Now();
  int64_t messages = 0;
  for (; absl::Now() < start + duration; ++messages) take();
  const double rate = static_cast<double>(messages) / absl::ToDoubleSeconds(absl::Now() - start);
  return {rate, rate * static_cast<double>(work.batch), bytes};
}

// Ours and then the plain stream, in turns, as a machine's other work comes and goes.
struct Turn {
  Rate rate;
  double share = 0;  // Of the plain stream.
};

// The turn of the median share; the shares of the others beside it.
void Print(const std::string& what, const Workload& work, std::vector<Turn> turns) {
  std::sort(turns.begin(), turns.end(),
            [](const Turn& a, const Turn& b) { return a.share < b.share; });
  const Turn& median = turns[turns.size() / 2];
  absl::PrintF(
      "{\"work\": \"%s, %s\", \"transitions_per_second\": %.0f, \"megabytes_per_second\": %.0f, "
      "\"message_bytes\": %d, \"of_plain_stream\": %.2f, \"turns\": [%s]}\n",
      what, work.name, median.rate.transitions,
      median.rate.messages * static_cast<double>(median.rate.message_bytes) * 1e-6,
      median.rate.message_bytes, median.share,
      absl::StrJoin(turns, ", ", [](std::string* out, const Turn& turn) {
        absl::StrAppendFormat(out, "%.2f", turn.share);
      }));
  std::fflush(stdout);
}

struct Effort {
  int turns = 5;
  absl::Duration of_each;
};

void Measure(const std::string& binary, const std::string& plain, const Workload& work,
             const Effort& effort) {
  TableConfig table;
  table.set_name("replay");
  table.set_capacity_bytes(work.capacity_bytes);
  if (work.prioritized) table.mutable_sampler()->mutable_prioritized();
  const ServerProcess server(binary, table);
  const auto in_turns = [&](auto measure, PlainDirection direction) {
    std::vector<Turn> turns(effort.turns);
    for (Turn& turn : turns) {
      turn.rate = measure(server.address(), work, effort.of_each);
      turn.share = turn.rate.messages /
                   MeasurePlainStream(plain, direction, turn.rate.message_bytes, effort.of_each);
    }
    return turns;
  };
  Print("insert", work, in_turns(MeasureInsert, PlainDirection::kToServer));
  Print("sample", work, in_turns(MeasureSample, PlainDirection::kToClient));
}

std::vector<Workload> Workloads(const std::vector<int64_t>& payloads) {
  std::vector<Workload> works;
  if (payloads.empty()) {
    works = {CartPole(false), CartPole(true),
             Large("28 kB rows", Column("obs", v1::DTYPE_UINT8, {84, 84, 4}, true))};
  }
  const std::vector<int64_t> all = {400, 4'000, 40'000, 400'000};
  for (const int64_t bytes : payloads.empty() ? all : payloads)
    works.push_back(
        Large(absl::StrCat(bytes, " B an item"), Column("payload", v1::DTYPE_UINT8, {bytes})));
  return works;
}

}  // namespace
}  // namespace cadre

int main(int argc, char** argv) {
  CLI::App app("How fast a replay table is over gRPC", "replay_stream_bench");
  std::vector<int64_t> payloads;
  std::string only;
  cadre::Effort effort;
  double seconds = 1;
  app.add_option("--payload", payloads, "bytes of an item: those only; none: everything");
  app.add_option("--only", only, "the works whose name has this in it, such as 'uniform'");
  app.add_option("--seconds", seconds, "of each measurement");
  app.add_option("--turns", effort.turns, "measurements of each; the median is printed")
      ->check(CLI::PositiveNumber);
  if (const auto exit_code = cadre::ParseFlags(app, argc, argv)) return *exit_code;
  effort.of_each = absl::Seconds(seconds);
  const absl::StatusOr<std::vector<int>> ports = cadre::FreeLoopbackPorts(1);
  CADRE_CHECK(ports.ok());
  const std::string plain = absl::StrCat("127.0.0.1:", ports->front());
  const pid_t plain_server = fork();  // Before gRPC is used here.
  CADRE_CHECK(plain_server >= 0);
  if (plain_server == 0) {
    const auto server = cadre::PlainStreamServer::Start(plain);
    while (true) pause();
  }
  const std::string binary =
      std::filesystem::read_symlink("/proc/self/exe").parent_path() / "cadre_replay_server";
  for (const cadre::Workload& work : cadre::Workloads(payloads))
    if (absl::StrContains(work.name, only)) cadre::Measure(binary, plain, work, effort);
  kill(plain_server, SIGKILL);
  waitpid(plain_server, nullptr, 0);
}
