#!/usr/bin/env python3
"""kill -9, and SIGTERM, of each kind of process in the middle of a run in lockstep.

What every run must show is in lockstep_run.py. In lockstep a lost rollout would show at
once: the learner would wait for it for ever.

What the queue's counters say depends on who died; each test says how.
"""

import os
import re
import signal

import cadre_run
import lockstep_run
from lockstep_run import HALF, STEPS, UPDATE


class KillTest(lockstep_run.LockstepTest):

    def kill(self, name, at=HALF, number=signal.SIGKILL):
        """Kills that process once the run has come to `at` steps: how far it was."""
        self.wait_for(at)
        steps = self.trained.steps()
        os.kill(self.process.child(name), number)
        return steps

    def kill_at_once(self, *names, at):
        self.wait_for(at)
        for pid in [self.process.child(name) for name in names]:
            os.kill(pid, signal.SIGKILL)

    def end(self, *killed, by="was killed by signal 9 (Killed)"):
        queue = super().end()
        for name in killed:
            self.assertIn(f"{name} {by}; starting it again", self.process.stderr)
        return queue

    def test_an_actor(self):
        # What it had appended is the queue's and counts; what it had not sent was nobody's
        # yet. The new one is another writer, so nothing is sent twice. The queue lived
        # through it all: exactly what it had acknowledged was learned from. A rollout of
        # its former life, with the versions of the new one's first, may be one too many
        # for the update, and is dropped as stale.
        self.begin()
        self.kill("cadre_actor 0")
        queue = self.end("actor 0")
        self.assertEqual(queue["duplicate_rollouts"], 0)
        self.assertEqual(queue["returned_rollouts"], 0)
        self.assertEqual(queue["acknowledged_steps"], STEPS)
        self.assertLessEqual(queue["dropped_stale_rollouts"], 1)

    def test_the_learner(self):
        # It goes on from its last checkpoint, so the steps since then are made again: the
        # queue's count is larger than the learner's by those, which is less than the
        # interval of checkpoints. The lease that was open goes back, and in lockstep is
        # stale then; the last acknowledgement may have died with the learner.
        interval = 10_000
        self.begin("--set", f"checkpoint.every_env_steps={interval}")
        self.kill("cadre_learner")
        queue = self.end("learner")
        self.assertEqual(queue["duplicate_rollouts"], 0)
        self.assertLessEqual(queue["returned_rollouts"], 2)
        self.assertLessEqual(queue["dropped_stale_rollouts"], 4)
        self.assert_made_again(queue, interval)

    def test_the_replay_server(self):
        # Its counters begin again, so they tell of the second half alone. What actors had
        # in flight they send again, without the new server knowing: the learner drops what
        # it has had, and acknowledges it. So of what the new server counts at most one
        # update's rollouts were learned from before; and the learner's count, which end()
        # checks, is what shows that none was used twice.
        self.begin()
        before = self.kill("cadre_replay_server")
        queue = self.end("replay server")
        self.assertEqual(queue["duplicate_rollouts"], 0)
        self.assertLessEqual(queue["acknowledged_steps"], STEPS - before + UPDATE)
        self.assertGreater(queue["acknowledged_steps"], 0)

    def test_the_replay_server_while_actors_run_ahead(self):
        # Asynchronously several rollouts of each actor are in flight, and with this lag, which
        # is more than the run's versions, those that are sent again are fresh enough to be used
        # a second time, however late an actor connects again. The actors live through it and
        # say how many steps they made: of these none was used twice (each kill would add an
        # update's), and all but what they hold at the end are there: their windows of four
        # rollouts and the current one.
        self.begin("--set", "actors.mode=ASYNCHRONOUS", "--set", "queue.max_version_lag=1000")
        for at in (20_000, 40_000, 60_000, 80_000):
            self.kill("cadre_replay_server", at=at)
        self.process.wait()
        self.assertEqual(self.process.code, 0, self.process)
        self.assert_ended(self.process)
        made = [re.search(r"made (\d+) steps", log.read_text())
                for log in sorted(self.trained.path.glob("logs/actor-*.log"))]
        made = sum(int(steps[1]) for steps in made)
        summary, queue = self.trained.summary(), self.trained.queue()
        self.assert_balanced(queue)
        self.assertGreaterEqual(summary["env_steps"], 100_000)
        self.assertEqual(queue["dropped_stale_rollouts"], 0)
        known = summary["env_steps"] + queue["waiting_steps"]
        self.assertLessEqual(known, made)
        self.assertGreaterEqual(known, made - 2 * 5 * 128)

    def test_the_parameter_server(self):
        # The learner gives the new one what the old one had. The queue sees nothing of it.
        self.begin()
        self.kill("cadre_param_server")
        queue = self.end("parameter server")
        for none in ("duplicate_rollouts", "returned_rollouts", "dropped_stale_rollouts"):
            self.assertEqual(queue[none], 0, none)
        self.assertEqual(queue["acknowledged_steps"], STEPS)

    def test_the_learner_and_the_parameter_server_at_once(self):
        # Both go back to what they had saved; the actors live on and hold a later version. The
        # run's folder alone knows which, and the learner continues above it.
        interval = 10_000
        self.begin("--set", f"checkpoint.every_env_steps={interval}")
        for at in (25_000, 65_000):
            self.kill_at_once("cadre_learner", "cadre_param_server", at=at)
        queue = self.end("learner", "parameter server")
        self.assertEqual(queue["duplicate_rollouts"], 0)
        self.assertGreaterEqual(queue["acknowledged_steps"], STEPS - 2 * UPDATE)
        self.assertLess(queue["acknowledged_steps"] - STEPS, 2 * (interval + 2 * UPDATE))
        self.assertIn("continuing above", (self.trained.path / "logs/learner.log").read_text())

    def test_all_but_the_actors_at_once(self):
        self.begin("--set", "checkpoint.every_env_steps=10000")
        self.kill_at_once("cadre_learner", "cadre_param_server", "cadre_replay_server", at=HALF)
        self.end("learner", "parameter server", "replay server")

    def test_each_in_turn(self):
        self.begin("--set", "checkpoint.every_env_steps=5000")
        self.kill("cadre_actor 1", at=15_000)
        self.kill("cadre_param_server", at=30_000)
        self.kill("cadre_learner", at=45_000)
        self.kill("cadre_replay_server", at=60_000)
        self.kill("cadre_actor 0", at=75_000)
        self.end("actor 1", "parameter server", "learner", "replay server", "actor 0")

    def test_sigterm_is_no_reason_to_stop_for_all_but_the_learner(self):
        # They exit with 0, and the run still needs them. (The learner's means: stop.)
        self.begin()
        self.kill("cadre_actor 0", at=20_000, number=signal.SIGTERM)
        self.kill("cadre_replay_server", at=40_000, number=signal.SIGTERM)
        self.kill("cadre_param_server", at=60_000, number=signal.SIGTERM)
        self.end("actor 0", "replay server", "parameter server", by="ended before the run did")

    def test_the_supervisor(self):
        # What it started ends by itself, the learner saved, and the run can go on.
        self.begin()
        self.wait_for(HALF)
        self.process.send(signal.SIGKILL)
        self.process.wait()
        cadre_run.wait_until(lambda: not self.process.descendants(), "the end of its children")
        self.assertGreaterEqual(self.trained.checkpoints()[-1], HALF)
        self.process = self.start("cadre", "train", "--resume", self.trained, "--mode",
                                  "processes")
        self.end()


if __name__ == "__main__":
    cadre_run.main()
