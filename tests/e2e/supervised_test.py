#!/usr/bin/env python3
"""What a supervisor that starts again whatever ends relies on (Kubernetes, Compose): the
learner's --supervised and the actor's --stay, every process started by hand."""

import signal

import cadre_run

RUN = ("--run_id", "supervised")
STOPPED = 7  # common/process/exit_code.h
STEPS = 100_096  # Of a whole run with configs/ppo_cartpole.textproto.


class SupervisedTest(cadre_run.CadreTest):

    def begin(self, config=cadre_run.CARTPOLE):
        replay, parameters = (f"127.0.0.1:{cadre_run.free_port()}" for _ in range(2))
        self.start("cadre_replay_server", *RUN, "--address", replay, "--config",
                   config)
        self.start("cadre_param_server", *RUN, "--address", parameters)
        self.worker = (*RUN, "--config", config, "--replay", replay,
                       "--parameters", parameters)
        self.trained = cadre_run.Run(self.folder / "run")

    def start_learner(self):
        """Always with the same options, as a supervisor does."""
        return self.start("cadre_learner", *self.worker, "--out", self.trained, "--supervised")

    def start_actors(self):
        return [self.start("cadre_actor", *self.worker, "--name", f"actors-{pod}", "--stay")
                for pod in "xz"]

    def wait_for_steps(self, steps, learner):
        cadre_run.wait_until(lambda: self.trained.steps() >= steps, f"{steps} steps", learner)

    def test_sigterm_saves_and_leaves_the_run_open(self):
        self.begin()
        learner = self.start_learner()
        actors = self.start_actors()
        for at in (20_000, 50_000):
            self.wait_for_steps(at, learner)
            learner.send(signal.SIGTERM)
            learner.wait()
            self.assert_error(learner, STOPPED, f"of {100_000} steps", "start it again")
            self.assertEqual(self.trained.checkpoints()[-1], self.trained.steps(),
                             "all that was learned is saved")
            self.assertFalse((self.trained.path / "summary.json").exists())
            self.assertTrue(all(actor.code is None for actor in actors), "the run is not over")
            learner = self.start_learner()
        learner.wait()
        self.assertEqual(learner.code, 0, learner)
        summary = self.trained.summary()
        self.assertEqual(summary["env_steps"], STEPS)
        steps = [row["env_steps"] for row in self.trained.progress()]
        self.assertEqual(steps, sorted(set(steps)), "progress.csv goes back")
        # The run is over: actors wait to be stopped, and then end well.
        for actor in actors:
            cadre_run.wait_until(lambda: "waiting to be stopped" in actor.stderr, "the end", actor)
            self.assertIsNone(actor.code)
            actor.send(signal.SIGTERM)
            actor.wait()
            self.assertEqual(actor.code, 0, actor)

    def test_what_died_before_its_first_checkpoint_is_begun_anew(self):
        self.begin()
        self.trained.path.mkdir()
        (self.trained.path / "config.textproto").write_text("half writ")
        (self.trained.path / "checkpoints").mkdir()
        (self.trained.path / "lost+found").mkdir()  # Of the volume.
        learner = self.start_learner()
        self.start_actors()
        self.wait_for_steps(5_000, learner)
        learner.send(signal.SIGKILL)
        learner.wait()
        learner = self.start_learner()
        learner.wait()
        self.assertEqual(learner.code, 0, learner)
        self.assertEqual(self.trained.summary()["env_steps"], STEPS)
        self.assertTrue((self.trained.path / "lost+found").exists())

    def test_a_config_that_changes_reaches_every_process(self):
        config = self.folder / "config.textproto"
        text = cadre_run.CARTPOLE.read_text()
        config.write_text(text)
        self.begin(config)
        learner = self.start_learner()
        self.start_actors()
        self.wait_for_steps(5_000, learner)
        learner.send(signal.SIGTERM)
        learner.wait()
        config.write_text(text.replace("env_steps: 100000", "env_steps: 20000"))
        learner = self.start_learner()
        learner.wait()
        self.assertEqual(learner.code, 0, learner)
        self.assertLess(self.trained.summary()["env_steps"], STEPS)

    def test_a_stop_before_the_first_update(self):
        self.begin()
        learner = self.start_learner()
        cadre_run.wait_until(lambda: self.trained.checkpoints(), "the first checkpoint", learner)
        learner.send(signal.SIGTERM)
        learner.wait()
        self.assert_error(learner, STOPPED, "start it again")


if __name__ == "__main__":
    cadre_run.main()
