#!/usr/bin/env python3
"""The on-policy algorithms learn their tasks with the settings in configs/, in one process;
IMPALA, whose actors wait for nobody, also in processes.

The thresholds are those that the configs promise, by greedy evaluation over 100
episodes: CartPole 475, by PPO within 150,000 steps, Acrobot -100, Pendulum -250; of
REINFORCE with the best checkpoint.
"""

import cadre_run


class LearningTest(cadre_run.CadreTest):

    def learn(self, name, seeds, threshold, most_steps, *options, checkpoint="last"):
        for seed in seeds:
            with self.subTest(config=name, seed=seed):
                config = cadre_run.CONFIGS / f"{name}.textproto"
                run = self.train(config, "--seed", seed, *options, out=f"{name}-{seed}")
                self.assertEqual(run.summary()["seed"], seed)
                self.assertLessEqual(run.summary()["env_steps"], most_steps)
                self.assert_greedy(run, threshold, checkpoint=checkpoint)

    def test_ppo_cartpole(self):
        self.learn("ppo_cartpole", (1, 2, 3), 475, 150_000)

    def test_ppo_acrobot(self):
        self.learn("ppo_acrobot", (1, 2), -100, 310_000)

    def test_ppo_pendulum(self):
        self.learn("ppo_pendulum", (1, 2), -250, 310_000)

    def test_ppo_pendulum_with_a_deviation_of_the_state(self):
        self.learn("ppo_pendulum", (1,), -250, 310_000, "--set",
                   "model.mlp.state_dependent_log_std=true")

    def test_npg_pendulum(self):
        self.learn("npg_pendulum", (1,), -250, 250_000)

    def test_trpo_pendulum(self):
        self.learn("trpo_pendulum", (1,), -250, 250_000)

    def test_a2c_cartpole(self):
        self.learn("a2c_cartpole", (1,), 475, 500_100)

    def test_a2c_acrobot(self):
        self.learn("a2c_acrobot", (1,), -100, 500_100)

    def test_reinforce_cartpole(self):
        self.learn("reinforce_cartpole", (1,), 475, 201_100, checkpoint="best")

    def test_impala_on_cartpole_with_asynchronous_actors(self):
        for mode in ("embedded", "processes"):
            with self.subTest(mode=mode):
                run = self.train(cadre_run.CONFIGS / "impala_cartpole.textproto", "--mode", mode,
                                 out=mode)
                self.assertLess(run.summary()["env_steps"], 510_000)
                self.assertGreater(run.summary()["max_version_lag"], 0)
                self.assert_greedy(run, 475)


if __name__ == "__main__":
    cadre_run.main()
