#!/usr/bin/env python3
"""Learners that move one model together: two processes over gloo, and two threads."""

import os
import signal

import cadre_run
import lockstep_run
from lockstep_run import HALF, STEPS, UPDATE

TWO = ("--set", "learners.count=2")


class DataParallelTest(lockstep_run.LockstepTest):

    def begin(self, *more):
        super().begin(*TWO, *more)

    def end(self):
        queue = super().end()
        self.assertEqual(queue["duplicate_rollouts"], 0)
        return queue

    def test_two_processes_solve_cartpole(self):
        self.begin()
        queue = self.end()
        self.assertEqual(queue["acknowledged_steps"], STEPS)
        self.assertEqual(queue["returned_rollouts"], 0)
        self.assertEqual(queue["dropped_stale_rollouts"], 0)

    def test_two_processes_share_the_batches_of_a_replay_table(self):
        steps = 2_000
        trained = cadre_run.Run(self.folder / "replay")
        process = self.start("cadre", "train", cadre_run.CONFIGS / "sac_pendulum.textproto",
                             "--mode", "processes", "--out", trained, *TWO,
                             "--set", f"stop.env_steps={steps}")
        process.wait()
        self.assertEqual(process.code, 0, process)
        self.assert_ended(process)
        summary, table = trained.summary(), trained.table()
        self.assertEqual(summary["env_steps"], steps)
        self.assertGreater(summary["updates"], steps // 4)
        # One batch for each learner and update, half of the config's 128 each.
        self.assertEqual(table["sampled_batches"], 2 * summary["updates"])
        self.assertEqual(table["sampled_items"], 128 * summary["updates"])
        self.assertEqual(table["duplicate_rollouts"] + table["lost_rollouts"], 0)

    def kill(self, rank, other):
        interval = 10_000
        self.begin("--set", f"checkpoint.every_env_steps={interval}")
        self.wait_for(HALF)
        os.kill(self.process.child(f"cadre_learner {rank}"), signal.SIGKILL)
        queue = self.end()
        self.assertRegex(self.process.stderr,
                         rf"learner {rank} was killed by signal 9 \(Killed\); starting it again")
        # The other one says whom it lost, and starts again as well.
        self.assertRegex(self.process.stderr,
                         rf"learner {other} exited with status {cadre_run.UNREACHABLE}: "
                         rf"lost learner {rank} of 2 learners.*; starting it again")
        # As where one learner alone is killed: the steps since the checkpoint are made again,
        # leases go back to their queues and are stale.
        self.assertLessEqual(queue["returned_rollouts"], 4)
        self.assertLessEqual(queue["dropped_stale_rollouts"], 8)
        self.assert_made_again(queue, interval)

    def test_kill_the_first(self):
        self.kill(0, other=1)

    def test_kill_the_second(self):
        self.kill(1, other=0)

    def test_a_stop_is_one_for_all_and_the_run_goes_on(self):
        self.begin()
        self.wait_for(HALF)
        self.process.send(signal.SIGINT)
        self.process.wait()
        self.assertEqual(self.process.code, 0, self.process)
        self.assertNotIn("lost learner", self.process.stderr + self.trained.logs())
        stopped = self.trained.summary()["env_steps"]
        self.assertEqual(self.trained.checkpoints()[-1], stopped)
        self.assertEqual(stopped % UPDATE, 0)
        self.process = self.start("cadre", "train", "--resume", self.trained, "--mode",
                                  "processes")
        self.end()

    def test_threads_do_the_same_every_time(self):
        runs = [self.train(cadre_run.CARTPOLE, *TWO, "--set", "stop.env_steps=10000", out=out)
                for out in ("one", "two")]
        files = [list(run.path.glob("checkpoints/*/parameters.safetensors")) for run in runs]
        self.assertEqual([[f.parent.name for f in found] for found in files][0],
                         [f.parent.name for f in files[1]])
        for one, two in zip(*map(sorted, files)):
            self.assertEqual(one.read_bytes(), two.read_bytes())

    def test_threads_solve_cartpole(self):
        run = self.train(cadre_run.CARTPOLE, *TWO)
        self.assert_greedy(run, 475)
        self.assertEqual(run.summary()["env_steps"], STEPS)


if __name__ == "__main__":
    cadre_run.main()
