#!/usr/bin/env python3
"""In lockstep the seed decides everything, to the last bit, wherever things run."""

import cadre_run


class ReproducibleTest(cadre_run.CadreTest):

    def parameters(self, name, seed, *more, config=cadre_run.CARTPOLE, steps=20_000):
        run = self.train(config, "--set", f"stop.env_steps={steps}", "--seed", seed, *more,
                         out=name)
        steps = run.checkpoints()[-1]
        return (run.path / "checkpoints" / str(steps) / "parameters.safetensors").read_bytes()

    def test_the_same_seed_gives_the_same_parameters(self):
        first = self.parameters("first", 7)
        self.assertEqual(first, self.parameters("second", 7))
        self.assertNotEqual(first, self.parameters("other", 8))

    def test_with_four_actors_whoever_of_them_is_first(self):
        shape = ("--set", "actors.count=4", "--set", "actors.environments_per_actor=2")
        self.assertEqual(self.parameters("first", 7, *shape),
                         self.parameters("second", 7, *shape))

    def test_in_processes_as_embedded(self):
        self.assertEqual(self.parameters("embedded", 7),
                         self.parameters("processes", 7, "--mode", "processes"))

    def replay(self, name, seed, algorithm, *more):
        config = cadre_run.CONFIGS / f"{algorithm}.textproto"
        return self.parameters(name, seed, "--set", "replay.warmup_steps=500", *more,
                               config=config, steps=2_000)

    def test_from_replay_the_same_seed_gives_the_same_parameters(self):
        for algorithm in ("dqn_cartpole", "sac_pendulum", "td3_pendulum", "ddpg_pendulum"):
            with self.subTest(algorithm):
                first = self.replay(f"{algorithm}-first", 7, algorithm)
                self.assertEqual(first, self.replay(f"{algorithm}-second", 7, algorithm))
                self.assertNotEqual(first, self.replay(f"{algorithm}-other", 8, algorithm))

    def test_from_replay_with_four_actors_whoever_of_them_is_first(self):
        four = ("--set", "actors.count=4")
        self.assertEqual(self.replay("first", 7, "dqn_cartpole", *four),
                         self.replay("second", 7, "dqn_cartpole", *four))

    def test_from_replay_in_processes_as_embedded(self):
        self.assertEqual(self.replay("embedded", 7, "dqn_cartpole"),
                         self.replay("processes", 7, "dqn_cartpole", "--mode", "processes"))


if __name__ == "__main__":
    cadre_run.main()
