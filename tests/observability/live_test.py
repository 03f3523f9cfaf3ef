#!/usr/bin/env python3
"""A real Prometheus scrapes three real runs: PPO through a queue, DQN through a replay table,
A3C with two learners. Needs prometheus on the PATH, and Cadre's binaries in $CADRE_BIN or
build/bin.

- Every expression of a panel, with what Grafana puts in for its variables, returns data: a
  number that is not NaN. So does every recording rule, and every operand of an alert
  (expressions.operands): the alert itself is right to return nothing.
- Whatever metric an expression names is exported by a process, recorded by a rule, or
  Prometheus's own.
- docs/monitoring.md lists each metric that is exported, and no other.

Prometheus has the configuration of deploy/prometheus/, with addresses in the place of names
that only Compose knows, and it scrapes every second."""

import copy
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.parse

import yaml

from expressions import (PROMETHEUS, ROOT, load_dashboards, metric_names, operands,
                         panel_expressions, rule_expressions, rules)

sys.path.insert(0, str(ROOT / "tests" / "e2e"))
import cadre_run  # noqa: E402

BINARIES = pathlib.Path(os.environ.get("CADRE_BIN", ROOT / "build" / "bin")).resolve()
PATIENCE = 150.0  # Seconds until every expression must have had data.
PROMETHEUS_OWN = {"up", "ALERTS"}

LONG = (r"stop \{.*\}", "stop { env_steps: 1000000000 }")
SAVES = (r"stop \{", "checkpoint { every_seconds: 5 }\nstop {")
# By run: the config, what is changed in it, actors and learners.
RUNS = {
    "ppo": ("ppo_cartpole", [LONG, SAVES], 2, 1),
    "dqn": ("dqn_cartpole", [
        LONG, SAVES, (r"warmup_steps: \d+", "warmup_steps: 500"),
        (r"mode: LOCKSTEP", "mode: ASYNCHRONOUS")], 1, 1),
    "a3c": ("a3c_cartpole", [
        LONG, SAVES, (r"actors \{ count: 4", "actors { count: 2"),
        (r"learners \{ count: 4", "learners { count: 2")], 2, 2),
}


def free_ports(count):
    return [cadre_run.free_port() for _ in range(count)]


def get(url, **parameters):
    query = "?" + urllib.parse.urlencode(parameters) if parameters else ""
    try:
        return cadre_run.read_url(url + query)
    except urllib.error.HTTPError:
        raise
    except OSError as error:
        raise OSError(f"{url}: {error}") from None


class Processes:
    """What this test starts, and what it says."""

    def __init__(self, folder):
        self.folder = folder
        self.children = []  # (name, Popen)

    def start(self, name, *command):
        with open(self.folder / f"{name}.log", "wb") as log:
            self.children.append((name, subprocess.Popen(
                list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log, stderr=log)))

    def ended(self):
        return [f"{name} exited with {child.returncode}: {self.tail(name)}"
                for name, child in self.children if child.poll() is not None]

    def tail(self, name):
        return (self.folder / f"{name}.log").read_text(errors="replace")[-2000:]

    def end(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            for _, child in reversed(self.children):
                if child.poll() is None:
                    child.send_signal(number)
            deadline = time.monotonic() + 20
            for _, child in self.children:
                try:
                    child.wait(max(0.1, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    pass


def start_run(processes, folder, run):
    """Its metrics addresses, by job."""
    name, changes, actors, learners = RUNS[run]
    text = (ROOT / f"configs/{name}.textproto").read_text()
    for pattern, replacement in changes:
        text, count = re.subn(pattern, replacement, text)
        assert count == 1, (name, pattern, count)
    config = folder / f"{run}.textproto"
    config.write_text(text)
    replay, param, *metrics = [f"127.0.0.1:{port}" for port in free_ports(4 + actors + learners)]
    targets = {"cadre_replay": metrics[:1], "cadre_param": metrics[1:2],
               "cadre_learner": metrics[2:2 + learners], "cadre_actor": metrics[2 + learners:]}
    processes.start(f"{run}-replay", BINARIES / "cadre_replay_server", "--address", replay,
                    "--config", config, "--run_id", run, "--metrics_port", metrics[0],
                    "--checkpoint_folder", folder / run / "replay", "--checkpoint_seconds", 5)
    processes.start(f"{run}-param", BINARIES / "cadre_param_server", "--address", param,
                    "--run_id", run, "--metrics_port", metrics[1],
                    "--snapshot_folder", folder / run / "parameters", "--snapshot_seconds", 5)
    servers = ["--run_id", run, "--replay", replay, "--parameters", param, "--config", config]
    for rank, address in enumerate(targets["cadre_learner"]):
        ranked = ["--rank", rank] if learners > 1 else []
        processes.start(f"{run}-learner-{rank}", BINARIES / "cadre_learner", *servers, *ranked,
                        "--out", folder / run / "run", "--metrics_port", address)
    for index, address in enumerate(targets["cadre_actor"]):
        processes.start(f"{run}-actor-{index}", BINARIES / "cadre_actor", *servers,
                        "--index", index, "--metrics_port", address)
    return targets


def prometheus_config(targets):
    """deploy/prometheus/prometheus.yml with addresses for names. `targets`: by run and job."""
    config = copy.deepcopy(yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text()))
    config["global"].update(scrape_interval="1s", evaluation_interval="1s")
    config["rule_files"] = [str(PROMETHEUS / pattern) for pattern in config["rule_files"]]
    for scrape in config["scrape_configs"]:
        del scrape["dns_sd_configs"]
        # Here are several runs, and so as many labels.
        assert scrape.pop("relabel_configs") == [{"target_label": "run", "replacement": "default"}]
        scrape["static_configs"] = [
            {"targets": of_run[scrape["job_name"]], "labels": {"run": run}}
            for run, of_run in targets.items()]
    return config


def exported(addresses):
    """Type of each metric that is exported, by name."""
    types = {}
    for address in addresses:
        for line in get(f"http://{address}/metrics").splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split()
                types[name] = kind
    return types


def documented():
    """Type of each metric in the tables of docs/monitoring.md, by name."""
    rows = re.findall(r"^\| `(cadre_\w+)` \| (\w+) \| ([^|]+) \| ([^|]*) \| ([^|]+) \|$",
                      (ROOT / "docs/monitoring.md").read_text(), re.MULTILINE)
    return {name: kind for name, kind, *_ in rows}


def has_a_number(result):
    values = [value for series in result for value in series.get("values", [series.get("value")])]
    return any(value != "NaN" for _, value in values)


class Prometheus:
    def __init__(self, processes, folder, config):
        port, = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        path = folder / "prometheus.yml"
        path.write_text(yaml.safe_dump(config))
        processes.start("prometheus", "prometheus", f"--config.file={path}",
                        f"--storage.tsdb.path={folder}/tsdb",
                        f"--web.listen-address=127.0.0.1:{port}")

    def api(self, path, **parameters):
        return json.loads(get(f"{self.url}/api/v1/{path}", **parameters))["data"]

    def has_data(self, text):
        """Whether there is a number within the last minute; as Grafana asks."""
        now = time.time()
        answer = self.api("query_range", query=text, start=now - 60, end=now, step=5)
        return has_a_number(answer["result"])


class LiveTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="cadre-observability-")
        cls.addClassCleanup(temporary.cleanup)
        folder = pathlib.Path(temporary.name)
        cls.processes = Processes(folder)
        cls.addClassCleanup(cls.processes.end)
        cls.targets = {}
        for run in RUNS:
            (folder / run / "replay").mkdir(parents=True)
            (folder / run / "parameters").mkdir()
            cls.targets[run] = start_run(cls.processes, folder, run)
        config = prometheus_config(cls.targets)
        # Nobody listens there: so there is an alert.
        silent, = free_ports(1)
        config["scrape_configs"][-1]["static_configs"].append(
            {"targets": [f"127.0.0.1:{silent}"], "labels": {"run": "silent"}})
        cls.prometheus = Prometheus(cls.processes, folder, config)
        cls.wanted = cls.expressions()
        cls.missing = cls.wait_for_data()

    @classmethod
    def expressions(cls):
        """(where, PromQL) of all that must return data."""
        found = []
        for expression in rule_expressions():
            texts = operands(expression.text) if expression.alert else [expression.text]
            found += [(expression.where, text) for text in texts]
        every = [a for run in cls.targets.values() for of_job in run.values() for a in of_job]
        for choice in ({"run": "All", "instance": "All"},
                       {"run": list(cls.targets), "instance": every}):
            # A scrape every second: four of them are the shortest window.
            values = {**choice, "__rate_interval": "4s", "__interval": "1s", "__range": "60s"}
            for dashboard in load_dashboards():
                found += [(e.where, e.text) for e in panel_expressions(dashboard, values)]
        return found

    @classmethod
    def wait_for_data(cls):
        """The expressions that still have none when the patience is at its end."""
        deadline = time.monotonic() + PATIENCE
        missing = cls.wanted
        while True:
            try:
                missing = [(w, text) for w, text in missing if not cls.prometheus.has_data(text)]
            except urllib.error.HTTPError as error:
                if error.code == 503:  # It has yet to read its configuration.
                    continue
                raise AssertionError(f"{error.url}: {error.read().decode()}") from None
            except OSError:
                pass  # It does not listen yet.
            if not missing or cls.processes.ended() or time.monotonic() > deadline:
                return missing
            time.sleep(1)

    def test_1_every_process_runs_and_is_scraped(self):
        self.assertEqual("\n".join(self.processes.ended()), "")
        deadline = time.monotonic() + PATIENCE
        while True:  # On a busy machine a single scrape may come too late.
            targets = self.prometheus.api("targets")["activeTargets"]
            down = [t["scrapeUrl"] + ": " + t["lastError"] for t in targets
                    if t["health"] != "up" and t["labels"]["run"] != "silent"]
            if not down or time.monotonic() > deadline:
                break
            time.sleep(1)
        self.assertEqual(down, [])
        self.assertEqual(len(targets), len(self.processes.children))  # -1 Prometheus, +1 silent.

    def test_2_every_expression_returns_data(self):
        print(f"{len(self.wanted)} expressions asked for", file=sys.stderr)
        self.assertGreater(len(self.wanted), 100)
        if self.missing:
            self.fail("without data:\n" + "".join(f"{w}: {text}\n" for w, text in self.missing))

    def test_3_every_rule_is_evaluated_without_an_error(self):
        groups = self.prometheus.api("rules")["groups"]
        loaded = [rule for group in groups for rule in group["rules"]]
        self.assertEqual(len(loaded), len(rules()))
        self.assertEqual([f"{r['name']}: {r.get('lastError')}" for r in loaded
                          if r["health"] != "ok"], [])

    def test_4_every_metric_that_is_named_is_exported(self):
        types = exported(a for run in self.targets.values() for job in run.values() for a in job)
        names = PROMETHEUS_OWN | {rule["record"] for rule in rules() if "record" in rule}
        for name, kind in types.items():
            names |= {name + end for end in ("_bucket", "_sum", "_count")} \
                if kind == "histogram" else {name}
        unknown = {(where, name) for where, text in self.wanted
                   for name in metric_names(text) - names}
        self.assertEqual(unknown, set())

    def test_5_the_documentation_lists_what_is_exported(self):
        types = exported(a for run in self.targets.values() for job in run.values() for a in job)
        self.assertGreater(len(types), 50)
        self.maxDiff = None
        self.assertEqual(documented(), types)


if __name__ == "__main__":
    unittest.main()
