#!/usr/bin/env python3
"""Environments in Python: they are learned from as native ones, and when they break the run goes on.

Needs $CADRE_PYTHON with gymnasium, which a fixture of tests/envs makes; skipped without it.
"""

import os
import pathlib
import signal
import sys
import time

import cadre_run

FAULTY = pathlib.Path(__file__).resolve().parents[1] / "envs" / "python"
CONFIG = cadre_run.CONFIGS / "ppo_gym_cartpole.textproto"
FAULTY_CONFIG = """
name: "faulty"
environment {{ gymnasium {{ entry_point: "faulty_environment:Counter" workers: 2
                           timeout_seconds: {timeout} {kwargs} }} }}
model {{ mlp {{ hidden: [8] }} }}
ppo {{ minibatch_size: 64 epochs: 1 }}
actors {{ count: 1 environments_per_actor: 4 segment_length: 16 }}
stop {{ env_steps: {steps} }}
"""


def workers(process):
    """The pids of the environment workers that it or its children started."""
    return [pid for pid in process.descendants()
            if "cadre.env_worker" in cadre_run.arguments_of(pid)]


class PythonEnvironmentsTest(cadre_run.CadreTest):

    def faulty(self, steps=4096, timeout=60, **kwargs):
        path = self.folder / "faulty.textproto"
        entries = " ".join(f'kwargs {{ key: "{key}" value: "{value}" }}'
                           for key, value in kwargs.items())
        path.write_text(FAULTY_CONFIG.format(kwargs=entries, steps=steps, timeout=timeout))
        return path

    def test_learns_as_from_the_native_one(self):
        for mode in ("embedded", "processes"):
            with self.subTest(mode):
                run = self.train(CONFIG, "--mode", mode, out=mode)
                self.assertTrue(run.summary()["solved"], run.summary())
        self.assert_greedy(run, 475, episodes=20)

    def test_is_planned(self):
        process = self.finish("cadre", "plan", CONFIG, "--json")
        self.assertEqual(process.code, 0, process)

    def test_a_killed_worker_is_replaced(self):
        process = self.start("cadre", "train", self.faulty(steps=200_000), "--out",
                             self.folder / "run")
        cadre_run.wait_until(lambda: "steps" in process.stdout, "progress", process)
        for _ in range(3):
            before = cadre_run.wait_until(lambda: workers(process), "workers", process)
            os.kill(before[0], signal.SIGKILL)
            cadre_run.wait_until(lambda: before[0] not in workers(process) and
                                 len(workers(process)) >= 2, "another worker", process)
        process.wait()
        self.assertEqual(process.code, 0, process)
        self.assertIn("it was killed by signal 9; it is replaced", process.stderr)
        self.assert_ended(process)

    def test_no_fault_reaches_the_learner(self):
        for fault in ("nan", "raise", "reward", "exit"):
            with self.subTest(fault):
                # Each process of a worker breaks, in its 50th step.
                process = self.finish("cadre", "train",
                                      self.faulty(steps=512, fault=fault, at=50, length=9),
                                      "--out", self.folder / fault)
                self.assertEqual(process.code, 0, process)
                run = cadre_run.Run(self.folder / fault)
                # The only return that a whole episode of 9 steps has: none is cut or mixed.
                self.assertEqual(run.summary()["mean_return"], 45, process)

    def test_one_that_always_breaks_ends_the_run(self):
        process = self.finish("cadre", "train", self.faulty(fault="raise", at=1), "--out",
                              self.folder / "run")
        self.assertNotEqual(process.code, 0, process)
        self.assertIn("gymnasium.max_restarts permits no more", process.stderr)
        self.assert_ended(process)

    def test_ctrl_c_does_not_wait_for_a_hung_environment(self):
        process = self.start("cadre", "train", self.faulty(fault="hang", at=20, timeout=600),
                             "--out", self.folder / "run")
        cadre_run.wait_until(lambda: len(workers(process)) >= 2, "workers", process)
        time.sleep(1)  # Until it hangs; if it does not yet, so much the easier.
        process.send(signal.SIGINT)
        process.wait(30)
        self.assertEqual(process.code, 0, process)
        self.assertIn("stopped early, saved", process.stdout)
        self.assert_ended(process)

    def test_workers_end_with_a_killed_run(self):
        process = self.start("cadre", "train", self.faulty(steps=10_000_000, fault="hang", at=400),
                             "--out", self.folder / "run")
        cadre_run.wait_until(lambda: len(workers(process)) >= 2, "workers", process)
        process.send(signal.SIGKILL)
        process.wait()
        cadre_run.wait_until(lambda: not workers(process), "the workers' end")

    def test_says_what_there_is_not(self):
        def refused(*settings):
            process = self.finish("cadre", "config", "check", CONFIG, *settings)
            self.assertEqual(process.code, cadre_run.USAGE, process)
            return process.stderr
        self.assertIn("NoSuchTask", refused("--set", "environment.gymnasium.id=NoSuchTask-v0"))
        before = os.environ["CADRE_PYTHON"]
        os.environ["CADRE_PYTHON"] = "/nowhere/python"
        try:
            process = self.finish("cadre", "config", "check", CONFIG)
            self.assertNotEqual(process.code, 0)
            self.assertIn("there is no '/nowhere/python'", process.stderr)
        finally:
            os.environ["CADRE_PYTHON"] = before


if __name__ == "__main__":
    if not os.access(os.environ.get("CADRE_PYTHON", ""), os.X_OK):
        print("SKIPPED: $CADRE_PYTHON is no interpreter")
        sys.exit(77)
    os.environ["PYTHONPATH"] = str(FAULTY)
    cadre_run.main()
