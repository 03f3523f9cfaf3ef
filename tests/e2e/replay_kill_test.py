#!/usr/bin/env python3
"""kill -9 of each kind of process in the middle of a run that learns from replay.

Every run must end well and leave no process behind, and its steps never go back. What the
table's account says depends on who died; each test says how.
"""

import os
import re
import signal

import cadre_run

STEPS = 80_000
ROLLOUT = 10    # Steps: 2 environments, 5 steps of each.
WINDOW = 5      # Rollouts that an actor may hold: four unsettled ones and the one at hand.


class ReplayKillTest(cadre_run.CadreTest):

    def begin(self, *more):
        self.trained = cadre_run.Run(self.folder / "run")
        self.process = self.start(
            "cadre", "train", cadre_run.CONFIGS / "dqn_cartpole.textproto", "--mode", "processes",
            "--out", self.trained, "--set", f"stop.env_steps={STEPS}",
            "--set", "evaluation.every_env_steps=0", "--set", "replay.warmup_steps=1000",
            "--set", "actors.count=2", "--set", "checkpoint.every_seconds=0.5", *more)

    def kill(self, name, at):
        """Kills that process once the run has come to `at` steps."""
        cadre_run.wait_until(lambda: self.trained.steps() >= at, f"{at} steps", self.process)
        os.kill(self.process.child(name), signal.SIGKILL)

    def kill_at_once(self, *names, at):
        cadre_run.wait_until(lambda: self.trained.steps() >= at, f"{at} steps", self.process)
        for pid in [self.process.child(name) for name in names]:
            os.kill(pid, signal.SIGKILL)

    def end(self, *killed):
        """Waits; checks what holds whoever was killed. Returns the table's account."""
        self.process.wait()
        self.assertEqual(self.process.code, 0, self.process)
        for name in killed:
            self.assertIn(f"{name} was killed by signal 9 (Killed); starting it again",
                          self.process.stderr)
        self.assert_ended(self.process)
        steps = [row["env_steps"] for row in self.trained.progress()]
        self.assertEqual(steps, sorted(set(steps)), "progress.csv goes back or repeats")
        self.assertGreaterEqual(self.trained.summary()["env_steps"], STEPS)
        table = self.trained.table()
        self.assertEqual(table["refused_rollouts"], 0)
        return table

    def made(self):
        """Steps that the actors say they made."""
        logs = sorted(self.trained.path.glob("logs/actor-*.log"))
        return sum(int(re.search(r"made (\d+) steps", log.read_text())[1]) for log in logs)

    def assert_each_once(self, table):
        """Each step that an actor made is in the table once, was lost with the server, or is
        still the actor's."""
        known = table["inserted_steps"] + ROLLOUT * table["lost_rollouts"]
        self.assertLessEqual(known, self.made())
        self.assertGreaterEqual(known, self.made() - 2 * WINDOW * ROLLOUT)

    def test_nobody(self):
        self.begin("--set", "actors.mode=ASYNCHRONOUS")
        table = self.end()
        self.assertEqual(table["duplicate_rollouts"], 0)
        self.assertEqual(table["lost_rollouts"], 0)
        self.assert_each_once(table)
        wanted = table["samples_per_insert"]
        self.assertLess(abs(table["observed_samples_per_insert"] - wanted), 0.02 * wanted)

    def test_an_actor(self):
        self.begin("--set", "actors.mode=ASYNCHRONOUS")
        self.kill("cadre_actor 0", at=15_000)
        table = self.end("actor 0")
        self.assertEqual(table["duplicate_rollouts"], 0)
        self.assertEqual(table["lost_rollouts"], 0)

    def test_the_learner(self):
        self.begin("--set", "actors.mode=ASYNCHRONOUS")
        self.kill("cadre_learner", at=15_000)
        table = self.end("learner")
        self.assertEqual(table["duplicate_rollouts"], 0)
        self.assertEqual(table["lost_rollouts"], 0)
        self.assert_each_once(table)

    def test_the_replay_server(self):
        # It goes on from its checkpoint of at most half a second before. What it had said to
        # be safe since then is lost, and counted; what it had not is sent again, once.
        self.begin("--set", "actors.mode=ASYNCHRONOUS")
        self.kill("cadre_replay_server", at=10_000)
        self.kill("cadre_replay_server", at=25_000)
        self.assert_each_once(self.end("replay server"))

    def test_the_replay_server_in_lockstep(self):
        # A round that was lost is made again: nobody waits for ever.
        self.begin()
        self.kill("cadre_replay_server", at=10_000)
        self.kill("cadre_replay_server", at=25_000)
        self.assert_each_once(self.end("replay server"))

    def test_the_learner_and_the_parameter_server_at_once(self):
        # The actors hold a later version than either saved, and in lockstep wait for a newer one.
        self.begin()
        for at in (10_000, 30_000):
            self.kill_at_once("cadre_learner", "cadre_param_server", at=at)
        self.assert_each_once(self.end("learner", "parameter server"))

    def test_all_but_the_actors_at_once(self):
        self.begin()
        self.kill_at_once("cadre_learner", "cadre_param_server", "cadre_replay_server", at=20_000)
        self.assert_each_once(self.end("learner", "parameter server", "replay server"))

    def test_each_in_turn(self):
        self.begin()
        self.kill("cadre_actor 1", at=5_000)
        self.kill("cadre_param_server", at=10_000)
        self.kill("cadre_learner", at=15_000)
        self.kill("cadre_replay_server", at=20_000)
        self.kill("cadre_actor 0", at=30_000)
        self.end("actor 1", "parameter server", "learner", "replay server", "actor 0")


if __name__ == "__main__":
    cadre_run.main()
