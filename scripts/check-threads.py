#!/usr/bin/env python3
"""Usage: scripts/check-threads.py [ROOT]

Fails where a thread is started in another way than by common/process/start_thread.h: at the process's
limit of threads that would throw, and end the process.
"""
import re
import sys

import sources

ROOMS = ("common", "envs", "policy", "rpc", "replay_server", "param_server", "actor", "learner",
         "cli")
START = re.compile(r"\bstd::(?:jthread|async)\b|\bstd::thread(?:\s+\w+)?\s*[({]|\bthread_?\(\["
                   r"|\bpthread_create\(")
ALLOWED = ("common/process/start_thread.h", "common/process/start_thread.cc")
COMMENT = re.compile(r"//.*$")


def violations():
    for name, number, line in sources.lines(ROOMS):
        match = START.search(COMMENT.sub("", line))
        if match and name not in ALLOWED:
            yield name, number, f"{match.group(0)} starts a thread; wanted common/process/start_thread.h"


if __name__ == "__main__":
    sys.exit(sources.report(violations(), "threads: all are started by common/process/start_thread.h"))
