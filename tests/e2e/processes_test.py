#!/usr/bin/env python3
"""The same training through real servers and workers on this machine."""

import cadre_run


class ProcessesTest(cadre_run.CadreTest):

    def test_solves_cartpole_and_accounts_for_every_rollout(self):
        run = cadre_run.Run(self.folder / "run")
        process = self.finish("cadre", "train", cadre_run.CARTPOLE, "--mode", "processes",
                              "--out", run)
        self.assertEqual(process.code, 0, process)
        self.assert_ended(process)
        self.assert_greedy(run, 475)

        summary, queue = run.summary(), run.queue()
        self.assertEqual(summary["max_version_lag"], 0)
        self.assert_balanced(queue)
        # Nobody died, so every step that was acknowledged was learned from, and the
        # other way round.
        self.assertEqual(queue["acknowledged_steps"], summary["env_steps"])
        for none in ("duplicate_rollouts", "refused_rollouts", "returned_rollouts",
                     "dropped_stale_rollouts", "leased_rollouts"):
            self.assertEqual(queue[none], 0, none)
        self.assertIn(f"{queue['appended_rollouts']} rollouts appended", process.stdout)


if __name__ == "__main__":
    cadre_run.main()
