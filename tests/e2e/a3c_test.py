#!/usr/bin/env python3
"""Four learners that push gradients to the parameter server, as real processes: what the
run says at its end, and kill -9 of each kind of process in the middle of it.

What every run must show: it ends well, leaves no process behind, every gradient that the
server got is accounted for, and the steps that the model was moved by are those of the
gradients that were applied. Whoever dies, what was learned stays: the steps of progress.csv
never go back.
"""

import json
import os
import signal

import cadre_run

CONFIG = cadre_run.CONFIGS / "a3c_cartpole.textproto"
LEARNERS = 4
STEPS = 120_000
BATCH = 8 * 16  # Steps in a gradient: 1 actor x 8 environments x 16.


class A3cTest(cadre_run.CadreTest):

    def begin(self, *more):
        self.trained = cadre_run.Run(self.folder / "run")
        self.process = self.start("cadre", "train", CONFIG, "--mode", "processes", "--set",
                                  f"stop.env_steps={STEPS}", "--set",
                                  f"learners.max_gradient_lag={STEPS}", "--out", self.trained, *more)

    def kill(self, name, at=STEPS // 2):
        cadre_run.wait_until(lambda: self.trained.steps() >= at, f"{at} steps", self.process)
        os.kill(self.process.child(name), signal.SIGKILL)

    def end(self, *killed, exact=True):
        """Waits; checks what holds whoever was killed. Returns the servers' accounts."""
        self.process.wait()
        self.assertEqual(self.process.code, 0, self.process)
        for name in killed:
            self.assertIn(f"{name} was killed by signal 9 (Killed); starting it again",
                          self.process.stderr)
        self.assert_ended(self.process)
        summary, queue = self.trained.summary(), self.trained.queue()
        gradients = json.loads((self.trained.path / "gradients.json").read_text())
        self.assertGreaterEqual(summary["env_steps"], STEPS)
        self.assert_balanced(queue)
        self.assertEqual(gradients["refused_gradients"], 0)
        self.assertEqual(gradients["broken_gradients"], 0)
        # The first version is nobody's gradient.
        if exact:
            self.assertEqual(gradients["version"], gradients["applied_gradients"] + 1)
            self.assertEqual(gradients["env_steps"], gradients["applied_gradients"] * BATCH)
        self.assertGreaterEqual(gradients["env_steps"], summary["env_steps"])
        steps = [row["env_steps"] for row in self.trained.progress()]
        self.assertEqual(steps, sorted(set(steps)), "progress.csv goes back or repeats")
        return gradients, queue

    def test_undisturbed_every_batch_is_one_gradient(self):
        self.begin()
        gradients, queue = self.end()
        self.assertEqual(gradients["duplicate_gradients"], 0)
        # A learner whose last gradient came after the end did not acknowledge its batch.
        self.assertLessEqual(gradients["env_steps"] - queue["acknowledged_steps"],
                             LEARNERS * BATCH)
        self.assertGreaterEqual(gradients["env_steps"], queue["acknowledged_steps"])
        self.assertIn("gradients: ", self.process.stdout)

    def test_a_learner(self):
        # It lost nothing but the batch at hand, which the server may have had already.
        self.begin()
        self.kill("cadre_learner 2")
        self.end("learner 2")

    def test_the_first_learner(self):
        # The others go on without it; it finds the model where they have brought it.
        self.begin()
        self.kill("cadre_learner 0")
        self.end("learner 0")

    def test_an_actor(self):
        self.begin()
        self.kill("cadre_actor 3")
        self.end("actor 3")

    def test_the_parameter_server(self):
        # It goes on from its snapshot, or from what the learners know, whichever is newer.
        # Its counters are then of less than the whole run.
        self.begin()
        self.kill("cadre_param_server")
        self.end("parameter server", exact=False)

    def test_all_learners_and_the_parameter_server_at_once(self):
        # The model goes back to a checkpoint or a snapshot; what the actors follow does not.
        self.begin()
        cadre_run.wait_until(lambda: self.trained.steps() >= STEPS // 2, "half", self.process)
        names = [f"cadre_learner {rank}" for rank in range(LEARNERS)]
        for pid in [self.process.child(name) for name in ["cadre_param_server", *names]]:
            os.kill(pid, signal.SIGKILL)
        self.end("parameter server", *[f"learner {rank}" for rank in range(LEARNERS)], exact=False)

    def test_each_in_turn(self):
        # Long enough for each to be back before the end.
        self.begin("--set", f"stop.env_steps={4 * STEPS}")
        self.kill("cadre_learner 1", at=STEPS // 6)
        self.kill("cadre_param_server", at=STEPS // 3)
        self.kill("cadre_replay_server", at=STEPS // 2)
        self.kill("cadre_learner 0", at=2 * STEPS // 3)
        self.end("learner 1", "parameter server", "learner 0", "replay server", exact=False)

    def test_old_gradients_are_refused_and_counted(self):
        self.begin("--set", "learners.max_gradient_lag=0")
        self.process.wait()
        self.assertEqual(self.process.code, 0, self.process)
        gradients = json.loads((self.trained.path / "gradients.json").read_text())
        self.assertGreater(gradients["refused_gradients"], 0)
        self.assertEqual(gradients["max_gradient_lag"], 0)
        # The steps of those count as well, even if none was applied after them.
        self.assertEqual(gradients["version"], gradients["applied_gradients"] + 1)
        pushed = gradients["applied_gradients"] + gradients["refused_gradients"]
        self.assertEqual(gradients["env_steps"], pushed * BATCH)

    def test_stopped_it_goes_on_from_where_it_was(self):
        self.begin()
        cadre_run.wait_until(lambda: self.trained.steps() >= STEPS // 2, "half", self.process)
        self.process.send(signal.SIGINT)
        self.process.wait()
        saved = self.trained.checkpoints()[-1]
        self.assertGreaterEqual(saved, STEPS // 2)
        self.process = self.start("cadre", "train", "--resume", self.trained, "--mode",
                                  "processes")
        self.process.wait()
        self.assertEqual(self.process.code, 0, self.process)
        self.assertGreaterEqual(self.trained.summary()["env_steps"], STEPS)
        rows = [row["env_steps"] for row in self.trained.progress()]
        self.assertEqual(rows, sorted(set(rows)), "progress.csv goes back or repeats")


if __name__ == "__main__":
    cadre_run.main()
