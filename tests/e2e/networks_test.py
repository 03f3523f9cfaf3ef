#!/usr/bin/env python3
"""Networks with a memory and with images, in whole runs.

CartPolePO-v1 shows positions without velocities: a policy without a memory stays below 150.
"""

import cadre_run

MEMORY = 'encoder { mlp { hidden: [32] activation: TANH } } memory { kind: %s units: 32 }'
IMPALA = """
impala { optimizer { learning_rate: 1e-3 } }
actors { count: 1 environments_per_actor: 8 segment_length: 32 mode: LOCKSTEP }
"""
R2D2 = """
dqn { learning_rate: 1e-3 double_q: true epsilon_greedy { initial: 0.4 final: 0.4 spread: 7 } }
replay { capacity_steps: 4000 batch_size: 16 updates_per_step: 0.05 warmup_steps: 500 n_step: 3
         sequences { length: 16 burn_in: 8 period: 8 } prioritized {} }
actors { count: 1 environments_per_actor: 4 segment_length: 8 mode: LOCKSTEP }
"""
PPO = """
ppo { learning_rate: 1e-3 epochs: 4 minibatch_size: 256 gamma: 0.5 }
actors { count: 1 environments_per_actor: 16 segment_length: 32 }
"""
CNN = 'encoder { column: "image" cnn { layer { filters: 8 kernel: 2 } features: 32 } }'


class NetworksTest(cadre_run.CadreTest):

    def config(self, name, environment, model, algorithm, steps):
        path = self.folder / f"{name}.textproto"
        path.write_text(f'name: "{name}"\nenvironment {{ id: "{environment}" }}\n'
                        f"model {{ {model} }}\n{algorithm}\nstop {{ env_steps: {steps} }}\n")
        return path

    def parameters(self, run):
        step = run.checkpoints()[-1]
        return (run.path / "checkpoints" / str(step) / "parameters.safetensors").read_bytes()

    def test_recurrent_ppo_needs_its_memory_and_learns_with_it(self):
        config = cadre_run.ROOT / "configs" / "ppo_cartpole_po.textproto"
        with_memory = self.train(config, "--seed", 1, out="with-memory")
        self.assert_greedy(with_memory, 450)
        text = config.read_text()
        start = text.index("model {")
        end = text.index("\n}\n", start) + 3
        path = self.folder / "without.textproto"
        path.write_text(text[:start] + "model { mlp { hidden: [64, 64] } }\n" + text[end:])
        without = self.train(path, "--seed", 1, "--set", "stop.env_steps=60000",
                             out="without-memory")
        self.assertLess(self.evaluate(without)["mean_return"], 150)

    def test_the_learner_computes_what_the_actors_did(self):
        """In lockstep the policy that learns is the one that acted: every weight is 1."""
        for kind in ("GRU", "LSTM"):
            with self.subTest(kind=kind):
                run = self.train(self.config(f"impala-{kind}", "CartPolePO-v1", MEMORY % kind,
                                             IMPALA, 10_000), out=f"impala-{kind}")
                weights = [row["importance_weight"] for row in run.progress()
                           if row["updates"] > 0]
                self.assertGreater(len(weights), 10)
                for weight in weights:
                    self.assertAlmostEqual(weight, 1, delta=1e-4)

    def test_every_algorithm_that_may_have_a_memory_trains_with_one(self):
        for algorithm in ("a2c", "a3c", "off_policy_gradient"):
            with self.subTest(algorithm=algorithm):
                config = self.config(algorithm, "CartPolePO-v1", MEMORY % "LSTM",
                                     f"{algorithm} {{}} actors {{ segment_length: 16 }}", 5_000)
                run = self.train(config, out=algorithm)
                self.assertGreaterEqual(run.summary()["env_steps"], 5_000)

    def test_in_processes_as_embedded(self):
        """States and images travel over the wire and through queue and table."""
        for name, environment, model, algorithm in (
                ("impala", "CartPolePO-v1", MEMORY % "GRU", IMPALA),
                ("r2d2", "CartPolePO-v1", MEMORY % "LSTM", R2D2),
                ("cnn", "DictionaryMatch-v0", CNN, PPO)):
            with self.subTest(name=name):
                config = self.config(name, environment, model, algorithm, 3072)
                embedded = self.train(config, "--seed", 7, out=f"{name}-embedded")
                processes = self.train(config, "--seed", 7, "--mode", "processes",
                                       out=f"{name}-processes")
                self.assertEqual(self.parameters(embedded), self.parameters(processes))

    def test_a_convolution_learns_from_bytes(self):
        run = self.train(self.config("cnn", "DictionaryMatch-v0", CNN, PPO, 60_000), "--seed", 1,
                         out="cnn")
        self.assert_greedy(run, 9.5)

    def test_a_run_resumes_with_the_same_memory_only(self):
        config = self.config("impala", "CartPolePO-v1", MEMORY % "GRU", IMPALA, 2048)
        run = self.train(config, out="resumed")
        process = self.finish("cadre", "train", "--resume", run.path, "--set",
                              "model.memory.kind=LSTM", "--set", "stop.env_steps=4096")
        self.assert_error(process, cadre_run.MISMATCH, "model.memory: got { kind: LSTM")
        self.finish("cadre", "train", "--resume", run.path, "--set", "stop.env_steps=4096")
        self.assertEqual(run.summary()["env_steps"], 4096)

    def test_what_does_not_fit_is_refused_in_one_line(self):
        nature = "encoder { cnn { preset: NATURE } }"
        for model, algorithm, error in (
                (nature, IMPALA, "model.encoder.cnn of 'obs': got observations [2]; wanted images"),
                ('encoder { column: "camera" mlp {} }', IMPALA,
                 "model.encoder.column: got 'camera'; wanted one of 'obs'"),
                ("memory { units: 8 }", "trpo {}", "model.memory: got one with trpo; wanted none, or one"),
                (MEMORY % "GRU", "ppo { minibatch_size: 64 }",
                 "ppo.minibatch_size: got 64; wanted a multiple of actors.segment_length"),
                ("mlp { hidden: [] activation: RELU }", IMPALA,
                 "model.mlp.activation: got RELU, which has no effect here")):
            with self.subTest(error=error):
                config = self.config("refused", "CartPolePO-v1", model, algorithm, 100_000)
                for command in (("cadre", "config", "check", config),
                                ("cadre", "train", config, "--out", self.folder / "none")):
                    self.assert_error(self.finish(*command), cadre_run.USAGE, error)
                self.assertFalse((self.folder / "none").exists())


if __name__ == "__main__":
    cadre_run.main()
