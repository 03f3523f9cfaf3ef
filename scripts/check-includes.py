#!/usr/bin/env python3
"""Usage: scripts/check-includes.py [ROOT]

Fails where a room includes what it must not: rooms above it, LibTorch outside the
learner's side, or gRPC in the pure rooms. The table is docs/architecture.md's.
"""
import re
import sys

import sources

ROOMS = {
    "proto": set(),
    "common": {"proto"},
    "envs": {"common", "proto"},
    "policy": {"common", "proto"},
    "rpc": {"common", "proto"},
    "replay_server": {"common", "proto", "rpc"},
    "param_server": {"common", "proto", "rpc"},
    "actor": {"common", "proto", "rpc", "envs", "policy"},
    "learner": {"common", "proto", "rpc", "envs", "policy"},
}
ALL = set(ROOMS) | {"cli", "bench", "tests"}
TORCH = re.compile(r"^(torch|ATen|c10)/")
GRPC = re.compile(r"^(grpc|grpcpp)/|\.grpc\.pb\.h$")
TORCH_FREE = ("proto/", "common/", "envs/", "rpc/", "replay_server/", "param_server/", "actor/")
GRPC_FREE = ("proto/", "common/", "envs/", "policy/", "learner/algorithms/")
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')


def violations():
    for name, number, line in sources.lines(ROOMS):
        match = INCLUDE.match(line)
        if not match:
            continue
        room, target = name.split("/")[0], match.group(1)
        top = target.split("/")[0]
        if "/" in target and top in ALL and top != room and top not in ROOMS[room]:
            yield name, number, (f"{room}/ includes {target}; allowed: {room}, " +
                                 ", ".join(sorted(ROOMS[room])))
        if TORCH.match(target) and name.startswith(TORCH_FREE):
            yield name, number, f"includes {target}; {room}/ is free of LibTorch"
        if GRPC.search(target) and name.startswith(GRPC_FREE):
            yield name, number, f"includes {target}; {room}/ is free of gRPC"


if __name__ == "__main__":
    sys.exit(sources.report(violations(), "includes: every room includes only what it may"))
