#!/usr/bin/env python3
"""`cadre train --metrics_port`: each process of a run on a port of its own."""

import json
import re
import signal
import socket

import cadre_run

JOBS = ["cadre_replay", "cadre_param", "cadre_learner", "cadre_actor", "cadre_actor"]


def free_ports(count):
    """The first of so many in a row."""
    while True:
        first = cadre_run.free_port()
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return first
        except OSError:
            pass


def scrape(target):
    return cadre_run.read_url(f"http://{target}/metrics")


class MetricsTest(cadre_run.CadreTest):

    def begin(self, port, *more):
        self.trained = cadre_run.Run(self.folder / "run")
        self.process = self.start("cadre", "train", cadre_run.CARTPOLE, "--out", self.trained,
                                  "--set", "stop.env_steps=10000000", "--metrics_port", port, *more)
        cadre_run.wait_until(lambda: self.trained.steps() > 1000, "its first updates", self.process)

    def end(self):
        self.process.send(signal.SIGTERM)
        self.process.wait()
        self.assertEqual(self.process.code, 0, self.process)

    def test_processes(self):
        first = free_ports(len(JOBS))
        self.begin(first, "--mode", "processes")
        listed = json.loads((self.trained.path / "metrics_targets.json").read_text())
        self.assertEqual([one["targets"] for one in listed],
                         [[f"127.0.0.1:{first + i}"] for i in range(len(JOBS))])
        self.assertEqual([one["labels"]["job"] for one in listed], JOBS)
        run, = {one["labels"]["run"] for one in listed}
        self.assertTrue(run.startswith("ppo_cartpole-"), run)
        for one in listed:
            self.assertIn(f"{one['labels']['job']}_cpu_seconds_total ", scrape(one["targets"][0]))
        self.end()

    def test_embedded(self):
        port = free_ports(1)
        self.begin(port)
        steps = re.search(r"^cadre_learner_env_steps_total (\d+)", scrape(f"127.0.0.1:{port}"), re.M)
        self.assertGreater(int(steps[1]), 0)
        self.end()

    def test_a_port_that_is_taken(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            for mode in ("embedded", "processes"):
                process = self.finish("cadre", "train", cadre_run.CARTPOLE, "--mode", mode, "--out",
                                      self.folder / mode, "--metrics_port", port)
                self.assert_error(process, cadre_run.UNREACHABLE, str(port))


if __name__ == "__main__":
    cadre_run.main()
