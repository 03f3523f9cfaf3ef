#!/usr/bin/env python3
"""Decoupled PPO is what it says: without lag it learns as plain PPO does, and from parameters that
are 4 or 16 versions old faster. The full comparison is bench/lag_correction's (docs/staleness.md).
"""

import math
import statistics

import cadre_run

STEPS = 150_000


class StalenessTest(cadre_run.CadreTest):

    def mean_return(self, decoupled, lag, seed):
        """Over the whole run, of the training episodes."""
        settings = [f"ppo.decoupled={decoupled}", "ppo.clip_range=0.1", "actors.mode=LOCKSTEP",
                    f"actors.delay_versions={lag}", f"queue.max_version_lag={lag}",
                    f"stop.env_steps={STEPS}"]
        run = self.train(cadre_run.CONFIGS / "ppo_pendulum.textproto", "--seed", seed,
                         *(part for setting in settings for part in ("--set", setting)),
                         out=f"{decoupled}-{lag}-{seed}")
        self.assertEqual(run.summary()["max_version_lag"], lag)
        returns = [row["mean_return"] for row in run.progress()]
        return statistics.mean(value for value in returns if not math.isnan(value))

    def test_decoupled_ppo_against_plain_ppo(self):
        for lag, least in ((0, -60), (4, 60), (16, 60)):
            for seed in (1, 2):
                with self.subTest(lag=lag, seed=seed):
                    gain = (self.mean_return("true", lag, seed) -
                            self.mean_return("false", lag, seed))
                    self.assertGreater(gain, least)
                    if lag == 0:
                        self.assertLess(gain, 60)


if __name__ == "__main__":
    cadre_run.main()
