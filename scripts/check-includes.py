#!/usr/bin/env python3
"""Usage: scripts/check-includes.py [ROOT]

Fails where a room includes what it must not: rooms above it, LibTorch outside the
learner's side, or gRPC in the pure rooms. The table is docs/architecture.md's.
"""
import pathlib
import re
import sys

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
TORCH_FREE = ("proto", "common", "envs", "rpc", "replay_server", "param_server", "actor")
GRPC_FREE = ("proto", "common", "envs", "policy", "learner/algorithms")
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')


def violations(root: pathlib.Path):
    for room, allowed in ROOMS.items():
        for path in sorted((root / room).rglob("*")):
            if path.suffix not in (".h", ".cc", ".inc"):
                continue
            name = path.relative_to(root).as_posix()
            for number, line in enumerate(path.read_text().splitlines(), 1):
                match = INCLUDE.match(line)
                if not match:
                    continue
                target = match.group(1)
                top = target.split("/")[0]
                if "/" in target and top in ALL and top != room and top not in allowed:
                    yield f"{name}:{number}: {room}/ includes {target}; allowed: {room}, " + ", ".join(
                        sorted(allowed))
                if TORCH.match(target) and name.startswith(tuple(f"{r}/" for r in TORCH_FREE)):
                    yield f"{name}:{number}: includes {target}; {room}/ is free of LibTorch"
                if GRPC.search(target) and name.startswith(tuple(f"{r}/" for r in GRPC_FREE)):
                    yield f"{name}:{number}: includes {target}; {room}/ is free of gRPC"


def main() -> int:
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
    found = list(violations(root))
    for line in found:
        print(line)
    if not found:
        print("includes: every room includes only what it may")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
