#!/usr/bin/env python3
"""Decoupled PPO is what it says: without lag it learns as plain PPO does, and from parameters that
are 4 or 16 versions old faster. The full comparison is bench/lag_correction's (docs/staleness.md).
"""

import math
import statistics

import cadre_run

STEPS = 150_000


class StalenessTest(cadre_run.CadreTest):

    def mean_return(self, lag, seed, *settings):
        """Over the whole run, of the training episodes."""
        settings = [f"actors.delay_versions={lag}", f"queue.max_version_lag={lag}",
                    "actors.mode=LOCKSTEP", f"stop.env_steps={STEPS}", *settings]
        run = self.train(cadre_run.CONFIGS / "ppo_pendulum.textproto", "--seed", seed,
                         *(part for setting in settings for part in ("--set", setting)),
                         out=f"{len(settings)}-{lag}-{seed}")
        self.assertEqual(run.summary()["max_version_lag"], lag)
        returns = [row["mean_return"] for row in run.progress()]
        return statistics.mean(value for value in returns if not math.isnan(value))

    def gain(self, lag, seed):
        plain = self.mean_return(lag, seed)
        average = ["ppo.proximal_decay=0.5"] if lag > 0 else []
        return self.mean_return(lag, seed, "ppo.decoupled=true", *average) - plain

    def test_without_lag_it_is_plain_ppo(self):
        self.assertLess(abs(self.gain(0, seed=1)), 60)

    def test_four_versions_behind_it_learns_faster(self):
        self.assertGreater(self.gain(4, seed=1), 20)

    def test_sixteen_versions_behind_it_learns_faster(self):
        self.assertGreater(self.gain(16, seed=1), 100)


if __name__ == "__main__":
    cadre_run.main()
