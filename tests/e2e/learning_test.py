#!/usr/bin/env python3
"""PPO learns its three tasks with the settings in configs/, in one process.

The thresholds are those that the configs promise, by greedy evaluation over 100
episodes: CartPole 475 within 150,000 steps, Acrobot -100, Pendulum -250.
"""

import cadre_run


class LearningTest(cadre_run.CadreTest):

    def learn(self, task, seeds, threshold, most_steps):
        for seed in seeds:
            with self.subTest(task=task, seed=seed):
                config = cadre_run.CONFIGS / f"ppo_{task}.textproto"
                run = self.train(config, "--seed", seed, out=f"{task}-{seed}")
                self.assertEqual(run.summary()["seed"], seed)
                self.assertLessEqual(run.summary()["env_steps"], most_steps)
                self.assert_greedy(run, threshold)

    def test_cartpole(self):
        self.learn("cartpole", (1, 2, 3), 475, 150_000)

    def test_acrobot(self):
        self.learn("acrobot", (1, 2), -100, 310_000)

    def test_pendulum(self):
        self.learn("pendulum", (1, 2), -250, 310_000)


if __name__ == "__main__":
    cadre_run.main()
