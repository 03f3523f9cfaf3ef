#!/usr/bin/env python3
"""Masked actions, several choices at once and dictionaries of observations are learned.

The probes (envs/probe/) have a known best return: 22.67 for MaskedCorridor-v0, 30 for
MultiDiscreteMatch-v0, 50 for MultiBinaryMatch-v0 and 10 for DictionaryMatch-v0. In
MaskedCorridor-v0 an episode has fewer than ten steps if and only if a masked action ended it.
"""

import cadre_run

PPO = """
ppo { learning_rate: 3e-3 epochs: 6 minibatch_size: 256 gamma: 0.5 entropy_coefficient: 0.01 }
actors { count: 2 environments_per_actor: 16 segment_length: 32 }
"""
A2C = """
a2c {
  gamma: 0
  gae_lambda: 1
  entropy_coefficient: 0.01
  optimizer { learning_rate: 3e-3 rms_prop { decay: 0.99 epsilon: 1e-5 } max_gradient_norm: 0.5 }
}
actors { count: 2 environments_per_actor: 8 segment_length: 10 }
"""
DQN = """
dqn { learning_rate: 2e-3 gamma: 0.5 double_q: true target_update_interval: 100 loss: HUBER
      epsilon_greedy { initial: 1 final: 0.05 decay_share: 0.5 } }
replay { capacity_steps: 10000 batch_size: 64 updates_per_step: 0.25 warmup_steps: 1000 }
actors { count: 2 environments_per_actor: 4 segment_length: 5 mode: LOCKSTEP }
"""
SAC = """
sac { policy_learning_rate: 1e-3 value_learning_rate: 2e-3 gamma: 0.5 temperature: 0.1
      learn_temperature: false target_update_rate: 0.02 }
replay { capacity_steps: 10000 batch_size: 64 updates_per_step: 0.25 warmup_steps: 1000 }
actors { count: 2 environments_per_actor: 4 segment_length: 5 mode: LOCKSTEP }
"""
ALGORITHMS = {"ppo": (PPO, 60_000), "a2c": (A2C, 120_000), "dqn": (DQN, 20_000),
              "sac": (SAC, 20_000)}
AT_LEAST = {"MaskedCorridor-v0": 21.5, "MultiDiscreteMatch-v0": 29, "MultiBinaryMatch-v0": 49,
            "DictionaryMatch-v0": 9.5}


class SpacesTest(cadre_run.CadreTest):

    def config(self, algorithm, environment, model="mlp { hidden: [64] activation: TANH }"):
        text, steps = ALGORITHMS[algorithm]
        path = self.folder / f"{algorithm}-{environment}.textproto"
        path.write_text(f'name: "{algorithm}"\nenvironment {{ id: "{environment}" }}\n'
                        f"model {{ {model} }}\n{text}\nstop {{ env_steps: {steps} }}\n")
        return path

    def learn(self, algorithm, environment, *more, seeds=(1, 2, 3)):
        runs = []
        for seed in seeds:
            with self.subTest(algorithm=algorithm, environment=environment, seed=seed):
                run = self.train(self.config(algorithm, environment), "--seed", seed, *more,
                                 out=f"{algorithm}-{environment}-{seed}")
                self.assert_greedy(run, AT_LEAST[environment])
                runs.append(run)
        return runs

    def assert_no_masked_action(self, runs):
        for run in runs:
            lengths = [row["mean_length"] for row in run.progress() if row["episodes"] > 0]
            self.assertGreater(len(lengths), 5)
            self.assertEqual(set(lengths), {10.0}, run)

    def test_ppo_and_a2c_solve_every_probe(self):
        for algorithm in ("ppo", "a2c"):
            for environment in AT_LEAST:
                runs = self.learn(algorithm, environment)
                if environment == "MaskedCorridor-v0":
                    self.assert_no_masked_action(runs)

    def test_dqn_and_discrete_sac_never_take_a_masked_action(self):
        for algorithm in ("dqn", "sac"):
            self.assert_no_masked_action(self.learn(algorithm, "MaskedCorridor-v0"))

    def test_dqn_learns_from_a_dictionary(self):
        self.learn("dqn", "DictionaryMatch-v0", seeds=(1,))

    def test_in_processes_as_embedded(self):
        """Every column, the masks and the choices travel over the wire and through a table."""
        for algorithm, environment in (("ppo", "MultiDiscreteMatch-v0"),
                                       ("ppo", "MaskedCorridor-v0"),
                                       ("ppo", "DictionaryMatch-v0"),
                                       ("dqn", "MaskedCorridor-v0"),
                                       ("dqn", "DictionaryMatch-v0")):
            with self.subTest(algorithm=algorithm, environment=environment):
                # One actor: of several, a table has the steps in the order of their coming.
                few = ("--set", "stop.env_steps=4096", "--seed", 7, "--set", "actors.count=1")
                name = f"{algorithm}-{environment}"
                config = self.config(algorithm, environment)
                embedded = self.train(config, *few, out=f"{name}-embedded")
                processes = self.train(config, *few, "--mode", "processes",
                                       out=f"{name}-processes")
                self.assertEqual(self.parameters(embedded), self.parameters(processes))

    def parameters(self, run):
        step = run.checkpoints()[-1]
        return (run.path / "checkpoints" / str(step) / "parameters.safetensors").read_bytes()

    def test_an_algorithm_of_a_single_choice_is_refused_several(self):
        for algorithm in ("dqn", "sac"):
            process = self.finish("cadre", "train", self.config(algorithm, "MultiBinaryMatch-v0"),
                                  "--out", self.folder / "none")
            self.assert_error(process, cadre_run.USAGE,
                              "environment.id: got 'MultiBinaryMatch-v0', whose actions are several "
                              f"discrete choices at once; wanted, for {algorithm}, single discrete")

    def test_the_environments_show_their_spaces(self):
        lines = {line.split()[0]: line
                 for line in self.finish("cadre", "envs").stdout.splitlines()}
        self.assertIn("4 choices, masked", lines["MaskedCorridor-v0"])
        self.assertIn("choices of [3,4,2]", lines["MultiDiscreteMatch-v0"])
        self.assertIn("5 bits", lines["MultiBinaryMatch-v0"])
        self.assertIn("image uint8[4,4], reading float32[1]", lines["DictionaryMatch-v0"])


if __name__ == "__main__":
    cadre_run.main()
