#!/usr/bin/env python3
"""The off-policy algorithms learn their tasks with the settings in configs/, mostly two seeds each.

The thresholds are those that the configs promise of the best checkpoint, by greedy
evaluation over 100 episodes: DQN and SAC on CartPole 475, double DQN on Acrobot -110, and
SAC, TD3 and DDPG on Pendulum -200.
"""

import cadre_run


class ReplayLearningTest(cadre_run.CadreTest):

    def learn(self, name, threshold, most_steps, seeds=(1, 2)):
        for seed in seeds:
            with self.subTest(config=name, seed=seed):
                run = self.train(cadre_run.CONFIGS / f"{name}.textproto", "--seed", seed,
                                 out=f"{name}-{seed}")
                self.assertLessEqual(run.summary()["env_steps"], most_steps)
                self.assert_greedy(run, threshold, checkpoint="best")

    def test_dqn_cartpole(self):
        self.learn("dqn_cartpole", 475, 500_100)

    def test_double_dqn_acrobot(self):
        self.learn("ddqn_acrobot", -110, 100_100)

    def test_sac_cartpole(self):
        self.learn("sac_cartpole", 475, 50_100, seeds=(1,))

    def test_sac_pendulum(self):
        self.learn("sac_pendulum", -200, 20_100)

    def test_sac_pendulum_with_normalization(self):
        for mode in ("embedded", "processes"):
            with self.subTest(mode=mode):
                run = self.train(cadre_run.CONFIGS / "sac_pendulum.textproto", "--mode", mode,
                                 "--set", "normalization.observations=true", "--set",
                                 "normalization.rewards=true", out=mode)
                self.assert_greedy(run, -200, checkpoint="best")

    def test_td3_pendulum(self):
        self.learn("td3_pendulum", -200, 20_100)

    def test_ddpg_pendulum(self):
        self.learn("ddpg_pendulum", -200, 20_100)


if __name__ == "__main__":
    cadre_run.main()
