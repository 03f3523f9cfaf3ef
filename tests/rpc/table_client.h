// Tables on loopback for tests of what samples them.
#pragma once

#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "rpc/client/experience_client.h"
#include "rpc/client/replay_source_options.h"
#include "tests/replay_server/experience_server.h"
#include "tests/replay_server/replay_experience.h"

namespace cadre {

inline ReplaySourceOptions SourceOptions() {
  ReplaySourceOptions options;
  options.run_id = kReplayRun;
  options.spec = ReplaySpec();
  options.name = "test";
  options.outage.backoff.initial = absl::Milliseconds(5);
  options.outage.backoff.maximum = absl::Milliseconds(20);
  options.channel.initial_reconnect_backoff = absl::Milliseconds(5);
  options.channel.maximum_reconnect_backoff = absl::Milliseconds(20);
  return options;
}

// Inserts steps 0 to `steps` - 1 of an episode, through a sink of its own.
inline void Insert(const std::string& address, int episode, int64_t steps) {
  ExperienceSinkOptions options;
  options.address = address;
  options.run_id = kReplayRun;
  options.target = "replay";
  options.spec = ReplaySpec();
  const auto sink = *RemoteExperienceSink::Create(options);
  ASSERT_EQ(sink->Append(ReplayRollout(episode, steps, v1::SEGMENT_END_TERMINATED)),
            absl::OkStatus());
  ASSERT_EQ(sink->Flush(absl::Seconds(30)), absl::OkStatus());
}

inline SampleOptions Items(int64_t items, double exponent = 0) {
  SampleOptions options;
  options.items = items;
  options.importance_exponent = exponent;
  return options;
}

// Which episode and step an item of a batch of ReplaySpec() is: its first column.
inline const float* Observation(const ReplayBatch& batch, int64_t item) {
  return reinterpret_cast<const float*>(batch.columns[0].bytes.data()) + 2 * item;
}

}  // namespace cadre
