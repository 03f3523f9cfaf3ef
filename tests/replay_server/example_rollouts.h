// Small valid experience for tests: two columns, contents that tell rollouts apart.
#pragma once

#include <cstdint>
#include <string>

#include "proto/experience.pb.h"

namespace cadre {

constexpr char kRun[] = "run-1";

// obs float32[2] per observation, reward float32[].
inline v1::ExperienceSpec ExampleSpec() {
  v1::ExperienceSpec spec;
  v1::ColumnSpec* obs = spec.add_columns();
  obs->set_name("obs");
  obs->set_dtype(v1::DTYPE_FLOAT32);
  obs->add_shape(2);
  obs->set_per_observation(true);
  v1::ColumnSpec* reward = spec.add_columns();
  reward->set_name("reward");
  reward->set_dtype(v1::DTYPE_FLOAT32);
  return spec;
}

// One segment of `steps` steps, every byte of whose columns is `content`.
inline v1::Rollout ExampleRollout(int64_t steps, int64_t version = 0, char content = 'x') {
  v1::Rollout rollout;
  rollout.set_version(version);
  v1::Segment* segment = rollout.add_segments();
  segment->set_length(static_cast<int32_t>(steps));
  segment->set_end(v1::SEGMENT_END_CUT);
  rollout.add_columns(std::string(static_cast<size_t>(8 * (steps + 1)), content));
  rollout.add_columns(std::string(static_cast<size_t>(4 * steps), content));
  return rollout;
}

// The same, addressed as a writer would.
inline v1::Rollout ExampleRollout(uint64_t writer, uint64_t sequence, int64_t steps,
                                  int64_t version) {
  v1::Rollout rollout = ExampleRollout(steps, version, static_cast<char>('a' + sequence % 26));
  rollout.set_run_id(kRun);
  rollout.set_writer_id(writer);
  rollout.set_sequence(sequence);
  return rollout;
}

}  // namespace cadre
