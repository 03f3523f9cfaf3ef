#!/usr/bin/env python3
"""A run that learns from replay, stopped and resumed, goes on with its table."""

import signal

import cadre_run

STEPS, WARM_UP, RATE = 100_000, 2_000, 0.1


class ReplayResumeTest(cadre_run.CadreTest):

    def stop_and_go_on(self, mode):
        run = cadre_run.Run(self.folder / "run")
        process = self.start(
            "cadre", "train", cadre_run.CONFIGS / "dqn_cartpole.textproto", "--mode", mode,
            "--out", run, "--set", f"stop.env_steps={STEPS}", "--set",
            f"replay.warmup_steps={WARM_UP}", "--set", "evaluation.every_env_steps=0")
        cadre_run.wait_until(lambda: run.steps() >= 10_000, "10,000 steps", process)
        process.send(signal.SIGTERM)
        process.wait()
        self.assertEqual(process.code, 0, process)
        self.assertLess(run.summary()["env_steps"], STEPS)
        process = self.finish("cadre", "train", "--resume", run, "--mode", mode)
        self.assertEqual(process.code, 0, process)
        summary = run.summary()
        self.assertGreaterEqual(summary["env_steps"], STEPS)
        # A table that was filled anew would have cost another warm-up without updates.
        self.assertGreater(summary["updates"], RATE * (STEPS - 1.5 * WARM_UP))
        return run

    def test_embedded(self):
        self.stop_and_go_on("embedded")

    def test_in_processes(self):
        run = self.stop_and_go_on("processes")
        self.assertGreaterEqual(run.table()["inserted_steps"], STEPS)

    def test_a_finished_run_is_extended(self):
        for mode in ("embedded", "processes"):
            with self.subTest(mode=mode):
                run = self.train(
                    cadre_run.CONFIGS / "dqn_cartpole.textproto", "--mode", mode, "--set",
                    "stop.env_steps=8000", "--set", f"replay.warmup_steps={WARM_UP}", "--set",
                    "evaluation.every_env_steps=0", out=mode)
                updates = run.summary()["updates"]
                process = self.extend(run, mode, 18_000)
                self.assertNotIn("empty table", process.stderr)
                self.assertGreater(run.summary()["updates"] - updates, 0.95 * RATE * 10_000)
                # The table of the end is not that of an earlier checkpoint; a server keeps two.
                earlier = run.checkpoints()[-2]
                process = self.extend(run, mode, 20_000, "--checkpoint", earlier)
                self.assertEqual("beginning with an empty table" in process.stderr,
                                 mode == "embedded")
                self.assertGreaterEqual(run.summary()["env_steps"], 20_000)

    def extend(self, run, mode, steps, *more):
        process = self.finish("cadre", "train", "--resume", run, "--mode", mode, "--set",
                              f"stop.env_steps={steps}", *more)
        self.assertEqual(process.code, 0, process)
        return process

    def test_a_table_of_another_config_is_not_used(self):
        for mode in ("embedded", "processes"):
            with self.subTest(mode=mode):
                run = self.train(
                    cadre_run.CONFIGS / "dqn_cartpole.textproto", "--mode", mode, "--set",
                    "stop.env_steps=5000", "--set", "replay.warmup_steps=1000",
                    "--set", "evaluation.every_env_steps=0", out=mode)
                process = self.extend(run, mode, 8_000, "--set", "replay.n_step=3")
                self.assertIn("beginning with an empty table", process.stderr)


if __name__ == "__main__":
    cadre_run.main()
