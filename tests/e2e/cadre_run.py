"""Runs Cadre's binaries for the end-to-end tests and looks at what they leave.

The binaries are those in $CADRE_BIN, which ctest sets. Each test gets a folder of
its own; what it started is ended with it, and where it fails, every command's output
and the logs of every run are printed.
"""

import csv
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARIES = pathlib.Path(os.environ.get("CADRE_BIN", ROOT / "build" / "bin")).resolve()
CONFIGS = ROOT / "configs"
CARTPOLE = CONFIGS / "ppo_cartpole.textproto"

# Generous: the machine may be busy, and a hang is all that this has to tell apart.
TIMEOUT = 120.0

# See common/process/exit_code.h.
USAGE, UNREACHABLE, MISMATCH, DAMAGED, IO, INTERRUPTED = 2, 3, 4, 5, 6, 130


ports_given = set()


def free_port():
    """One that nobody listens on, on 127.0.0.1, and that the kernel hands out to nobody."""
    first = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for _ in range(100):
        # Where it may hand out all of them, one of its own.
        port = random.randrange(10_000, first) if first > 11_000 else 0
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            port = probe.getsockname()[1]
        if port not in ports_given:
            ports_given.add(port)
            return port
    raise AssertionError("no free port")


def read_url(url, timeout=30):
    """Of a process on this machine, whatever proxies the environment names."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=timeout) as answer:
        return answer.read().decode()


def parent_and_state(pid):
    """The parent's pid and the state letter; (0, "X") where there is no such process."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0, "X"
    state, parent = stat.rpartition(")")[2].split()[:2]
    return int(parent), state


def live_processes():
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [pid for pid in pids if parent_and_state(pid)[1] not in "XZ"]


def arguments_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
    except OSError:
        return []


class Process:
    """A binary of ours, running. Its output goes to files."""

    def __init__(self, folder, number, command, preexec_fn=None, prefix=()):
        self.program, *arguments = map(str, command)
        self.command = [*prefix, str(BINARIES / self.program), *arguments]
        self._out = folder / f"{number}.stdout"
        self._err = folder / f"{number}.stderr"
        # Inherited by whatever it starts: so descendants are found when it is gone.
        self._mark = f"CADRE_TEST_MARK={uuid.uuid4()}"
        name, _, value = self._mark.partition("=")
        with open(self._out, "wb") as out, open(self._err, "wb") as err:
            self._popen = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                env={**os.environ, name: value}, preexec_fn=preexec_fn)
        self.pid = self._popen.pid

    @property
    def stdout(self):
        return self._out.read_text(errors="replace")

    @property
    def stderr(self):
        return self._err.read_text(errors="replace")

    @property
    def code(self):
        """The exit status; None while it runs, minus the signal where one killed it."""
        return self._popen.poll()

    def send(self, number):
        self._popen.send_signal(number)

    def wait(self, timeout=TIMEOUT):
        try:
            return self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"not ended after {timeout:.0f} s: {self}") from None

    def children(self):
        """By name, "cadre_learner" or "cadre_actor 1": the pids of those it started."""
        found = {}
        for pid in live_processes():
            if parent_and_state(pid)[0] != self.pid:
                continue
            arguments = arguments_of(pid)
            # Between fork and exec a child still looks like its parent.
            if not arguments or arguments == self.command:
                continue
            name = os.path.basename(arguments[0])
            for which in ("--index", "--rank"):
                if which in arguments:
                    name += " " + arguments[arguments.index(which) + 1]
            found[name] = pid
        return found

    def child(self, name):
        """The pid of that one, once it is there: it may just be being started, again maybe."""
        return wait_until(lambda: self.children().get(name), f"a process {name}", self)

    def descendants(self):
        """Live pids that it started, directly or not, even where it is gone itself."""
        found = []
        for pid in live_processes():
            try:
                environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
            except OSError:
                continue
            if pid != self.pid and self._mark.encode() in environment.split(b"\0"):
                found.append(pid)
        return found

    def end(self):
        for pid in [*self.descendants(), self.pid]:
            if pid != self.pid or self.code is None:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        self._popen.wait()

    def __str__(self):
        return (f"$ {' '.join(self.command)}\n-> {self.code}\n"
                f"--- stdout\n{self.stdout}--- stderr\n{self.stderr}")


def wait_until(condition, what, process=None, timeout=TIMEOUT):
    """The first true value of `condition`; fails where it takes too long, or where
    `process` ended without it."""
    deadline = time.monotonic() + timeout
    while True:
        ended = process is not None and process.code is not None
        if value := condition():
            return value
        if ended:
            raise AssertionError(f"it ended before {what}: {process}")
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:.0f} s for {what}: {process or ''}")
        time.sleep(0.005)


class Run:
    """The folder of a training run."""

    def __init__(self, path):
        self.path = pathlib.Path(path)

    def __str__(self):
        return str(self.path)

    def summary(self):
        return json.loads((self.path / "summary.json").read_text())

    def queue(self):
        return json.loads((self.path / "queue.json").read_text())

    def table(self):
        return json.loads((self.path / "table.json").read_text())

    def progress(self):
        """The whole rows of progress.csv, numbers as floats."""
        try:
            text = (self.path / "progress.csv").read_text()
        except FileNotFoundError:
            return []
        whole = text[:text.rfind("\n") + 1].splitlines()
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(whole)]

    def steps(self):
        """Of the newest row."""
        rows = self.progress()
        return int(rows[-1]["env_steps"]) if rows else 0

    def checkpoints(self):
        """Their steps, ascending."""
        try:
            names = os.listdir(self.path / "checkpoints")
        except FileNotFoundError:
            return []
        return sorted(int(name) for name in names if name.isdigit())

    def logs(self):
        return "".join(f"--- {log}\n{log.read_text(errors='replace')[-4000:]}"
                       for log in sorted(self.path.glob("logs/*.log")))


class CadreTest(unittest.TestCase):
    """A test case with a folder, and processes that end with it."""

    def run(self, result=None):
        def bad():
            return len(result.failures) + len(result.errors) if result else 0

        before = bad()
        with tempfile.TemporaryDirectory(prefix="cadre-e2e-") as folder:
            self.folder = pathlib.Path(folder)
            self._processes = []
            try:
                return super().run(result)
            finally:
                for process in self._processes:
                    process.end()
                if bad() > before:
                    sys.stderr.write(self._transcript())

    def _transcript(self):
        runs = {path.parent for path in self.folder.rglob("logs")}
        return "".join([f"===== {self.id()}\n", *(f"{p}\n" for p in self._processes),
                        *(Run(path).logs() for path in sorted(runs)), "=====\n"])

    def start(self, *command, **options):
        """Starts a binary: start("cadre", "train", ...)."""
        process = Process(self.folder, len(self._processes), command, **options)
        self._processes.append(process)
        return process

    def finish(self, *command, timeout=TIMEOUT, **options):
        """Runs one to its end."""
        process = self.start(*command, **options)
        process.wait(timeout)
        return process

    def train(self, config, *more, out="run", expect=0):
        """Trains to the end, in a folder of its own: the Run."""
        run = Run(self.folder / out)
        process = self.finish("cadre", "train", config, "--out", run, *more)
        self.assertEqual(process.code, expect, process)
        return run

    def evaluate(self, run, *more):
        """`cadre eval`'s JSON."""
        process = self.finish("cadre", "eval", run, *more)
        self.assertEqual(process.code, 0, process)
        return json.loads(process.stdout)

    def assert_greedy(self, run, at_least, episodes=100, checkpoint="last"):
        result = self.evaluate(run, "--episodes", episodes, "--checkpoint", checkpoint)
        self.assertEqual(result["episodes"], episodes)
        self.assertGreaterEqual(result["mean_return"], at_least)

    def assert_ended(self, process):
        """Nothing that it started is left, not even for a moment after it."""
        self.assertIsNotNone(process.code)
        left = {pid: arguments_of(pid) for pid in process.descendants()}
        self.assertEqual(left, {})

    def assert_error(self, process, code, *parts):
        """Ended with `code`, and with one line on stderr that has all of `parts`."""
        self.assertEqual(process.code, code, process)
        errors = [line for line in process.stderr.splitlines()
                  if line.startswith(f"{process.program}: error: ")]
        self.assertEqual(len(errors), 1, process)
        for part in parts:
            self.assertIn(str(part), errors[0])

    def assert_balanced(self, queue):
        """Every rollout that the queue took is in exactly one place, or was used."""
        self.assertEqual(
            queue["appended_rollouts"],
            queue["acknowledged_rollouts"] + queue["dropped_stale_rollouts"] +
            queue["leased_rollouts"] + queue["waiting_rollouts"], queue)


def main():
    unittest.main(verbosity=2)
