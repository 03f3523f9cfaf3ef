#!/usr/bin/env python3
"""Ctrl-C and SIGTERM stop a run, saved; --resume goes on where it stopped."""

import os
import signal

import cadre_run

EARLY = 20_000
STEPS, UPDATES = 100_096, 391  # Of a whole run with configs/ppo_cartpole.textproto.
MODES = ("embedded", "processes")


class InterruptTest(cadre_run.CadreTest):

    def begin(self, mode, *more, out="run"):
        run = cadre_run.Run(self.folder / out)
        return run, self.start("cadre", "train", cadre_run.CARTPOLE, "--mode", mode,
                               "--out", run, *more)

    def resume(self, run, *more):
        process = self.finish("cadre", "train", "--resume", run, *more)
        self.assertEqual(process.code, 0, process)
        return process

    def assert_stopped(self, process, run):
        """Ended well, saved, with nothing left running, and told how to go on."""
        process.wait()
        self.assertEqual(process.code, 0, process)
        self.assert_ended(process)
        self.assertTrue(run.checkpoints())
        self.assertIn(f"go on with: cadre train --resume {run}", process.stdout)

    def assert_whole(self, run):
        """A run with every update once, however often it was stopped."""
        summary = run.summary()
        self.assertEqual(summary["env_steps"], STEPS)
        self.assertEqual(summary["updates"], UPDATES)
        self.assertEqual(run.checkpoints()[-1], STEPS)
        rows = run.progress()
        for column in ("env_steps", "updates", "version", "wall_seconds"):
            values = [row[column] for row in rows]
            self.assertEqual(values, sorted(set(values)), f"{column} goes back or repeats")
        episodes = [row["episodes"] for row in rows]
        self.assertEqual(episodes, sorted(episodes))
        for row in rows:
            self.assertEqual(row["env_steps"], row["updates"] * 256)

    def stop_and_go_on(self, number, mode):
        run, process = self.begin(mode)
        cadre_run.wait_until(lambda: run.steps() >= EARLY, f"{EARLY} steps", process)
        process.send(number)
        self.assert_stopped(process, run)
        stopped = run.summary()
        self.assertGreaterEqual(stopped["env_steps"], EARLY)
        self.assertLess(stopped["env_steps"], STEPS)
        self.assertEqual(run.checkpoints()[-1], stopped["env_steps"])
        episodes = run.progress()[-1]["episodes"]

        self.resume(run, "--mode", mode)
        self.assert_whole(run)
        self.assertGreater(run.progress()[-1]["episodes"], episodes)
        self.assertGreater(run.summary()["wall_seconds"], stopped["wall_seconds"])
        self.assert_greedy(run, 475)

    def test_sigint_embedded(self):
        self.stop_and_go_on(signal.SIGINT, "embedded")

    def test_sigterm_embedded(self):
        self.stop_and_go_on(signal.SIGTERM, "embedded")

    def test_sigint_processes(self):
        self.stop_and_go_on(signal.SIGINT, "processes")

    def test_sigterm_processes(self):
        self.stop_and_go_on(signal.SIGTERM, "processes")

    def test_a_run_that_changes_its_mode(self):
        run, process = self.begin("processes")
        cadre_run.wait_until(lambda: run.steps() >= EARLY, f"{EARLY} steps", process)
        process.send(signal.SIGINT)
        self.assert_stopped(process, run)
        self.resume(run, "--mode", "embedded")
        self.assert_whole(run)

    def test_at_once(self):
        # Each moment of the start: the folder, the servers, the learner's first words.
        for mode, moment in (("embedded", "config.textproto"), ("embedded", "progress.csv"),
                             ("processes", "config.textproto"), ("processes", "logs"),
                             ("processes", "logs/actor-1.log"), ("processes", "logs/learner.log")):
            with self.subTest(mode=mode, moment=moment):
                run, process = self.begin(mode, out=f"{mode}-{moment.replace('/', '-')}")
                cadre_run.wait_until((run.path / moment).exists, moment, process)
                process.send(signal.SIGINT)
                self.assert_stopped(process, run)
        self.resume(run, "--mode", "processes")
        self.assert_whole(run)

    def test_a_second_ctrl_c_ends_it_at_once(self):
        run, process = self.begin("processes")
        cadre_run.wait_until(lambda: run.steps() >= EARLY, f"{EARLY} steps", process)
        # The learner cannot publish, and waits a moment, so that the first one takes a while.
        stopped = process.child("cadre_param_server")
        os.kill(stopped, signal.SIGSTOP)
        cadre_run.wait_until(lambda: process.send(signal.SIGINT) or process.code is not None,
                             "its end")
        self.assertEqual(process.code, cadre_run.INTERRUPTED, process)
        os.kill(stopped, signal.SIGCONT)
        # What it started ends by itself, and the learner has saved.
        cadre_run.wait_until(lambda: not process.descendants(), "the end of its children")
        self.assertGreaterEqual(run.checkpoints()[-1], EARLY)
        self.resume(run)
        self.assert_whole(run)

    def test_kill_and_go_on_from_the_last_checkpoint(self):
        run, process = self.begin("embedded", "--set", "checkpoint.every_env_steps=10000")
        cadre_run.wait_until(lambda: run.steps() >= 25_000, "25,000 steps", process)
        process.send(signal.SIGKILL)
        process.wait()
        saved = run.checkpoints()[-1]
        self.assertGreaterEqual(saved, 20_000)
        process = self.resume(run)
        self.assertIn(f"resuming from {run}/checkpoints/{saved}", process.stderr)
        self.assert_whole(run)

    def test_a_finished_run_is_not_run_again(self):
        run = self.train(cadre_run.CARTPOLE, "--set", "stop.env_steps=10000")
        checkpoint = run.path / "checkpoints" / "10240" / "parameters.safetensors"
        before = run.progress(), checkpoint.read_bytes()
        for mode in MODES:
            process = self.resume(run, "--mode", mode)
            self.assertEqual(run.summary()["env_steps"], 10_240)
            self.assertEqual((run.progress(), checkpoint.read_bytes()), before)
            self.assertNotIn("--resume", process.stdout)

        self.resume(run, "--set", "stop.env_steps=20000")
        self.assertEqual(run.summary()["env_steps"], 20_224)
        self.assertEqual(run.progress()[:len(before[0])], before[0])


if __name__ == "__main__":
    cadre_run.main()
