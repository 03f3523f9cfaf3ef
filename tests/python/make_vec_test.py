#!/usr/bin/env python3
"""cadre.make_vec: Cadre's environments as Gymnasium's vector environments, against Gymnasium."""

import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))

try:
    import gymnasium
    import numpy as np
except ImportError as error:
    print(f"SKIPPED: {error}")
    sys.exit(77)

import cadre
from cadre.vector_env import CadreError


class MakeVecTest(unittest.TestCase):

    def make(self, *arguments, **more):
        envs = cadre.make_vec(*arguments, **more)
        self.addCleanup(envs.close)
        return envs

    def test_spaces_and_metadata(self):
        envs = self.make("CartPole-v1", 3)
        ours, theirs = envs.single_observation_space, gymnasium.make("CartPole-v1").observation_space
        self.assertEqual((ours.shape, ours.dtype), (theirs.shape, theirs.dtype))
        self.assertEqual(envs.single_action_space, gymnasium.spaces.Discrete(2))
        self.assertEqual(envs.observation_space.shape, (3, 4))
        self.assertEqual(envs.metadata["autoreset_mode"],
                         gymnasium.vector.AutoresetMode.SAME_STEP)
        self.assertEqual(self.make("Pendulum-v1", 2).single_action_space,
                         gymnasium.make("Pendulum-v1").action_space)
        self.assertEqual(self.make("MultiDiscreteMatch-v0", 1).single_action_space,
                         gymnasium.spaces.MultiDiscrete([3, 4, 2]))
        self.assertEqual(self.make("MultiBinaryMatch-v0", 1).single_action_space,
                         gymnasium.spaces.MultiBinary(5))

    def test_what_it_returns_is_of_its_spaces(self):
        for name in ("CartPole-v1", "Pendulum-v1", "DictionaryMatch-v0", "MultiBinaryMatch-v0"):
            with self.subTest(name):
                envs = self.make(name, 4)
                observations, infos = envs.reset(seed=5)
                self.assertTrue(envs.observation_space.contains(observations))
                for _ in range(30):
                    observations, rewards, terminated, truncated, infos = envs.step(
                        envs.action_space.sample())
                    self.assertTrue(envs.observation_space.contains(observations))
                    for flags in (terminated, truncated):
                        self.assertEqual((flags.shape, flags.dtype), ((4,), np.bool_))
                    self.assertEqual((rewards.shape, rewards.dtype), ((4,), np.float64))

    def test_steps_as_gymnasium_does(self):
        """From the same states, with the same actions; ends and last observations too."""
        random = np.random.default_rng(3)
        envs, theirs = self.make("CartPole-v1", 2), gymnasium.make("CartPole-v1").unwrapped
        envs.reset(seed=1)
        theirs.reset(seed=1)
        ends = 0
        for _ in range(300):
            state = random.uniform([-2.6, -2, -0.25, -2], [2.6, 2, 0.25, 2])
            envs.set_state(1, state)
            theirs.state, theirs.steps_beyond_terminated = state, None
            action = int(random.integers(2))
            observations, rewards, terminated, _, infos = envs.step(np.array([0, action]))
            observation, reward, end, _, _ = theirs.step(action)
            last = infos["final_obs"][1] if terminated[1] else observations[1]
            np.testing.assert_allclose(last, observation, rtol=1e-5)
            self.assertEqual((rewards[1], terminated[1]), (reward, end))
            if terminated[1]:
                ends += 1
                self.assertTrue(infos["_final_obs"][1])
                self.assertLess(np.abs(observations[1]).max(), 0.06)  # A first one.
        self.assertGreater(ends, 20)

    def test_the_same_seed_gives_the_same_episodes(self):
        def play(seed):
            envs = self.make("Acrobot-v1", 2)
            observations = [envs.reset(seed=seed)[0]]
            for t in range(20):
                observations.append(envs.step(np.full(2, t % 3))[0])
            return np.stack(observations)
        np.testing.assert_array_equal(play(4), play(4))
        self.assertFalse((play(4) == play(5)).all())

    def test_resets_some(self):
        envs = self.make("CartPole-v1", 2)
        first = envs.reset(seed=1)[0]
        stepped = envs.step(np.zeros(2, int))[0]
        observations, _ = envs.reset(options={"reset_mask": np.array([True, False])})
        np.testing.assert_array_equal(observations[1], stepped[1])
        self.assertFalse((observations[0] == first[0]).all())

    def test_an_environment_as_a_config_has_it(self):
        envs = self.make('id: "CartPole-v1" max_episode_steps: 3 wrappers { frame_stack: 2 }', 1)
        self.assertEqual(envs.single_observation_space.shape, (2, 4))
        envs.reset(seed=1)
        self.assertEqual([bool(envs.step(np.zeros(1, int))[3][0]) for _ in range(3)],
                         [False, False, True])

    def test_masks_are_in_the_infos(self):
        envs = self.make("MaskedCorridor-v0", 2)
        _, infos = envs.reset(seed=1)
        self.assertEqual(infos["action_mask"].shape, (2, 4))
        observations = envs.step(infos["action_mask"].argmax(1))[0]
        self.assertEqual(observations.shape, (2, 1))

    def test_without_copies_arrays_change(self):
        envs = self.make("CartPole-v1", 1, copy=False)
        first = envs.reset(seed=1)[0]
        before = first.copy()
        envs.step(np.zeros(1, int))
        self.assertFalse((first == before).all())

    def test_errors_are_one_line_and_end_nothing(self):
        with self.assertRaisesRegex(CadreError, "CartPole-v1"):
            cadre.make_vec("CartPole-v7", 1)
        envs = self.make("CartPole-v1", 2)
        with self.assertRaisesRegex(CadreError, "before the first Reset"):
            envs.step(np.zeros(2, int))
        envs.reset(seed=1)
        with self.assertRaises(CadreError):
            envs.step(np.array([0, 2]))
        with self.assertRaisesRegex(CadreError, "0 to 1"):
            envs.set_state(2, [0, 0, 0, 0])
        with self.assertRaisesRegex(CadreError, "4"):
            envs.set_state(0, [0, 0])
        with self.assertRaises(ValueError):
            envs.step(np.zeros(3, int))
        envs.step(np.zeros(2, int))

    def test_says_that_the_process_died(self):
        envs = self.make("CartPole-v1", 1)
        envs.reset(seed=1)
        os.kill(envs._process.pid, signal.SIGKILL)
        with self.assertRaisesRegex(CadreError, "ended with status -9"):
            envs.step(np.zeros(1, int))
        with self.assertRaisesRegex(CadreError, "closed"):
            envs.step(np.zeros(1, int))

    def test_the_process_ends_with_its_client(self):
        code = ("import cadre, os, time; envs = cadre.make_vec('CartPole-v1', 1); "
                "print(envs._process.pid, flush=True); os.kill(os.getpid(), 9)")
        client = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True,
                                env={**os.environ, "PYTHONPATH": str(ROOT / "python")})
        pid = int(client.stdout)
        deadline = time.monotonic() + 20
        while pathlib.Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            if pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                break
            time.sleep(0.01)
        else:
            self.assertFalse(pathlib.Path(f"/proc/{pid}").exists())

    def test_says_that_there_is_no_binary(self):
        before = os.environ.get("CADRE_BIN")
        os.environ["CADRE_BIN"] = "/nowhere"
        try:
            with self.assertRaisesRegex(CadreError, "no program 'cadre' in /nowhere"):
                cadre.make_vec("CartPole-v1", 1)
        finally:
            os.environ.pop("CADRE_BIN") if before is None else os.environ.update(CADRE_BIN=before)


if __name__ == "__main__":
    unittest.main(verbosity=2)
