#!/usr/bin/env python3
"""In lockstep the seed decides everything, to the last bit, wherever things run."""

import cadre_run


class ReproducibleTest(cadre_run.CadreTest):

    def parameters(self, name, seed, *more):
        run = self.train(cadre_run.CARTPOLE, "--set", "stop.env_steps=20000", "--seed", seed,
                         *more, out=name)
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


if __name__ == "__main__":
    cadre_run.main()
