#!/usr/bin/env python3
"""Usage: scripts/check-clocks.py [ROOT]

Fails where a duration could depend on the wall clock, which people and machines set: reads of
it, and waits until one of its moments. common/process/monotonic_time.h has what to use instead. The
wall clock is for time stamps that somebody reads; where it may be read is listed here.
"""
import re
import sys

import sources

ROOMS = ("common", "envs", "policy", "rpc", "replay_server", "param_server", "actor", "learner",
         "cli")
WALL_CLOCK = re.compile(
    r"absl::Now\(|absl::GetCurrentTimeNanos|\bsystem_clock\b|\bhigh_resolution_clock\b"
    r"|\bgettimeofday\b|\bCLOCK_REALTIME|(?<![\w:])(?:std::)?time\((?:nullptr|NULL|0|&\w+)\)"
    r"|GPR_CLOCK_REALTIME")
# Abseil's timed waits keep to the wall clock, whether a moment or a duration is given.
WALL_WAIT = re.compile(r"\b\w*(?:WithTimeout|WithDeadline)\(|\bToChronoTime\(|\bset_deadline\(")

# File: what it needs the wall clock for.
TIME_STAMPS = {
    "common/metrics/process_metrics.h": "Unix times, as Prometheus reads them",
    "learner/run_folder/run_folder.h": "TensorBoard's events",
    "learner/run_folder/run_folder.cc": "TensorBoard's events",
    "learner/run_folder/run_lock.cc": "since when a run is locked, for people",
    "learner/loop/trainer.cc": "when an update was not finite, for people",
    "cli/process_commands.cc": "a run id that no earlier run has",
    "cli/supervised_process.cc": "a seed",
}
WAITS = {
    "rpc/call_timeout.h": "sets gRPC's deadlines by the monotonic clock",
    "common/process/monotonic_time.cc": "where there can be no thread to end waits",
}
COMMENT = re.compile(r"//.*$")


def violations():
    for name, number, line in sources.lines(ROOMS):
        code = COMMENT.sub("", line)
        for pattern, allowed in ((WALL_CLOCK, TIME_STAMPS), (WALL_WAIT, WAITS)):
            match = pattern.search(code)
            if match and name not in allowed:
                yield name, number, (f"{match.group(0)} keeps to the wall clock; wanted "
                                     "common/process/monotonic_time.h, or a line in scripts/check-clocks.py")


if __name__ == "__main__":
    sys.exit(sources.report(violations(), "clocks: no duration depends on the wall clock"))
