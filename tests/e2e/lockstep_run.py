"""A run of CartPole in lockstep that something happens to, and what it must show after all.

It ends well, has solved the task, leaves no process behind, no batch mixed versions, and the
learner's own count is that of an undisturbed run: an update of 256 steps each time, up to the
first that reaches 100,000.
"""

import cadre_run

UPDATE = 256      # Steps: 2 actors, 4 environments each, 32 steps of each.
STEPS = 100_096   # The first multiple of UPDATE from 100,000 on.
HALF = 50_000


class LockstepTest(cadre_run.CadreTest):

    def begin(self, *more):
        self.trained = cadre_run.Run(self.folder / "run")
        self.process = self.start("cadre", "train", cadre_run.CARTPOLE, "--mode", "processes",
                                  "--out", self.trained, *more)

    def wait_for(self, steps):
        cadre_run.wait_until(lambda: self.trained.steps() >= steps, f"{steps} steps", self.process)

    def end(self):
        """Waits; checks what holds for every run. Returns the account of its queues."""
        self.process.wait()
        self.assertEqual(self.process.code, 0, self.process)
        self.assert_ended(self.process)
        self.assert_greedy(self.trained, 475)
        summary, queue = self.trained.summary(), self.trained.queue()
        self.assertEqual(summary["env_steps"], STEPS)
        self.assertEqual(summary["updates"], STEPS // UPDATE)
        self.assertEqual(summary["max_version_lag"], 0)
        self.assert_balanced(queue)
        self.assertEqual(queue["leased_rollouts"], 0)
        self.assertEqual(queue["refused_rollouts"], 0)
        steps = [row["env_steps"] for row in self.trained.progress()]
        self.assertEqual(steps, sorted(set(steps)), "progress.csv goes back or repeats")
        return queue

    def assert_made_again(self, queue, interval):
        """A learner that died made the steps since its checkpoint again, less than `interval`
        and an update; its last acknowledgement may have died with it."""
        again = queue["acknowledged_steps"] - STEPS
        self.assertGreaterEqual(again, -UPDATE)
        self.assertLess(again, interval + 2 * UPDATE)
