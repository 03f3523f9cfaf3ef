#!/usr/bin/env python3
"""--resume: what is refused changes nothing, who may write to a run's folder, and any checkpoint
as the one to continue from."""

import pathlib
import signal

import cadre_run
from cadre_run import CARTPOLE, MISMATCH, USAGE

SHORT = ("--set", "stop.env_steps=10000", "--set", "checkpoint.every_env_steps=4000")
MODES = ("embedded", "processes")


def contents(folder):
    """Every file below it."""
    return {path: path.read_bytes() for path in pathlib.Path(folder).rglob("*") if path.is_file()}


class ResumeTest(cadre_run.CadreTest):

    def resume(self, run, *more):
        return self.finish("cadre", "train", "--resume", run, *more)

    def test_what_is_refused_changes_nothing(self):
        run = self.train(CARTPOLE, *SHORT)
        before = contents(run.path)
        for mode in MODES:
            for code, part, more in (
                    (MISMATCH, "model.mlp.hidden: got [32, 32]; wanted [64, 64]",
                     ("--set", "model.mlp.hidden=[32,32]")),
                    (MISMATCH, "model.mlp.activation: got RELU; wanted TANH",
                     ("--set", "model.mlp.activation=RELU")),
                    (MISMATCH, "normalization.observations: got true; wanted false",
                     ("--set", "normalization.observations=true")),
                    (USAGE, "has no checkpoint '77'", ("--checkpoint", "77")),
                    (USAGE, "ppo.epochs: got 0", ("--set", "ppo.epochs=0")),
                    (USAGE, "CONFIG", (CARTPOLE,)),
                    (USAGE, "--out", ("--out", self.folder / "other"))):
                with self.subTest(mode=mode, more=more):
                    process = self.resume(run, "--mode", mode, *more)
                    self.assert_error(process, code, part)
                    self.assertEqual(contents(run.path), before)
        self.evaluate(run)
        process = self.resume(run, "--set", "stop.env_steps=12000")
        self.assertEqual(process.code, 0, process)

    def test_eval_refuses_weights_that_mean_something_else(self):
        run = self.train(CARTPOLE, *SHORT)
        config = run.path / "config.textproto"
        config.write_text(config.read_text() + "normalization { observations: true }\n")
        process = self.finish("cadre", "eval", run)
        self.assert_error(process, MISMATCH,
                          "normalization.observations: got true; wanted false")

    def test_eval_of_a_run_whose_training_would_be_refused_by_now(self):
        run = self.train(cadre_run.CONFIGS / "a2c_cartpole.textproto",
                         "--set", "stop.env_steps=2000")
        config = run.path / "config.textproto"
        config.write_text(config.read_text().replace("actors {", "actors { mode: ASYNCHRONOUS", 1))
        self.assert_error(self.resume(run), USAGE, "actors.mode: got ASYNCHRONOUS")
        self.assertEqual(self.evaluate(run, "--episodes", 3)["episodes"], 3)
        process = self.finish("cadre", "eval", run, "--checkpoint", "best")
        self.assert_error(process, USAGE, "'best'; wanted last, or one of ")

    def test_what_follows_from_an_override_follows_it(self):
        run = self.train(CARTPOLE, *SHORT)
        for mode, environments in (("embedded", 64), ("processes", 32)):
            with self.subTest(mode=mode):
                process = self.resume(
                    run, "--mode", mode, "--set", f"actors.environments_per_actor={environments}",
                    "--set", f"stop.env_steps={run.summary()['env_steps'] + 5000}")
                self.assertEqual(process.code, 0, process)
                self.assertNotIn("queue", (run.path / "config.textproto").read_text())
                self.assertIn("capacity_steps", (run.path / "resolved.textproto").read_text())

    def test_from_a_checkpoint_before_the_last(self):
        run = self.train(CARTPOLE, *SHORT, "--set", "checkpoint.keep=10")
        for mode in MODES:
            with self.subTest(mode=mode):
                _, first, *_, last = run.checkpoints()
                process = self.resume(run, "--mode", mode, "--checkpoint", first)
                self.assertEqual(process.code, 0, process)
                self.assertIn(f"resuming from {run}/checkpoints/{first}", process.stderr)
                self.assertEqual(run.summary()["env_steps"], 10_240)
                self.assertTrue(list(run.path.glob(f"superseded/*/{last}")))
                steps = [row["env_steps"] for row in run.progress()]
                self.assertEqual(steps, sorted(set(steps)))

    def test_one_at_a_time(self):
        for mode in MODES:
            with self.subTest(mode=mode):
                run = cadre_run.Run(self.folder / mode)
                first = self.start("cadre", "train", CARTPOLE, "--mode", mode, "--out", run,
                                   "--set", "stop.env_steps=100000000")
                cadre_run.wait_until(lambda: run.steps() > 0, "the first steps", first)
                holder = f"is in use by process {first.pid} on "
                for other in MODES:
                    process = self.resume(run, "--mode", other)
                    self.assert_error(process, MISMATCH, holder, "cadre train")
                process = self.finish("cadre", "train", CARTPOLE, "--out", run)
                self.assert_error(process, MISMATCH, holder)
                process = self.finish("cadre_learner", "--resume", run, "--run_id", "r",
                                      "--replay", "127.0.0.1:1", "--parameters", "127.0.0.1:1")
                self.assert_error(process, MISMATCH, holder)
                self.evaluate(run, "--episodes", 1)
                first.send(signal.SIGKILL)
                first.wait()
                # Learners end with their supervisor, and may save first.
                cadre_run.wait_until(lambda p=first: not p.descendants(), "the end of its children")
                process = self.resume(run, "--set", "stop.env_steps=1000")
                self.assertEqual(process.code, 0, process)
                self.assertFalse(list(run.path.glob("*.lock")))


if __name__ == "__main__":
    cadre_run.main()
