"""Holds Cadre's Box2D environments against Gymnasium's, episode by episode.

Usage: box2d_parity.py ENVS_LOCKSTEP [EPISODES [TASK]]

Gymnasium draws from Cadre's generator here, so that both have the same ground, the same first
push and the same dispersion of the engines. EPISODES (default 200) are played by a random
policy, and LunarLander's by Gymnasium's heuristic one as well.
"""

import subprocess
import sys
import types

import gymnasium
import numpy as np
from gymnasium.envs.box2d import lunar_lander

MASK = (1 << 64) - 1
TASKS = ["LunarLander-v3", "LunarLanderContinuous-v3", "BipedalWalker-v3",
         "BipedalWalkerHardcore-v3"]


class CadreRandom:
    """common/random.h, with the methods of a NumPy generator that Gymnasium's tasks call."""

    def __init__(self, seed):
        self.state = []
        for _ in range(4):
            seed = (seed + 0x9E3779B97F4A7C15) & MASK
            z = ((seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
            z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
            self.state.append(z ^ (z >> 31))

    def bits(self):
        a, b, c, d = self.state
        result = (b * 5) & MASK
        result = ((((result << 7) | (result >> 57)) & MASK) * 9) & MASK
        shifted = (b << 17) & MASK
        c ^= a
        d ^= b
        self.state = [a ^ d, b ^ c, c ^ shifted, ((d << 45) | (d >> 19)) & MASK]
        return result

    def random(self):
        return (self.bits() >> 11) * 2.0**-53

    def uniform(self, low, high, size=None):
        if size is not None:
            return np.array([self.uniform(low, high) for _ in range(size[0])])
        return low + (high - low) * self.random()

    def integers(self, low, high):
        bound = high - low
        if bound == 1:  # Nothing to draw: NumPy does not, either.
            return low
        product = self.bits() * bound
        while (product & MASK) < (-bound & MASK) % bound:
            product = self.bits() * bound
        return low + (product >> 64)


class Ours:
    """COUNT episodes, stepped together."""

    def __init__(self, tool, environment, name, seeds):
        shape = environment.observation_space.shape
        self.step_dtype = np.dtype([("observation", "<f4", shape), ("reward", "<f8"),
                                    ("terminated", "u1")])
        self.count = len(seeds)
        self.process = subprocess.Popen([tool, name, str(self.count)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.process.stdin.write(np.array(seeds, "<u8").tobytes())
        self.first = self.read(np.dtype(("<f4", shape)))

    def read(self, dtype):
        self.process.stdin.flush()
        data = self.process.stdout.read(dtype.itemsize * self.count)
        return np.frombuffer(data, dtype.base).reshape((self.count, *dtype.shape))

    def step(self, actions):
        self.process.stdin.write(actions.tobytes())
        return self.read(self.step_dtype)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def random_policy(environment, seed):
    rng = np.random.default_rng(seed)
    if hasattr(environment.action_space, "n"):
        return lambda observation: np.int32(rng.integers(environment.action_space.n))
    size = environment.action_space.shape
    return lambda observation: rng.uniform(-1, 1, size).astype(np.float32)


def heuristic_policy(environment, seed):
    """The same action for observations that differ by rounding only."""
    dtype = np.int32 if hasattr(environment.action_space, "n") else np.float32
    return lambda observation: np.asarray(lunar_lander.heuristic(environment, observation), dtype)


def play_ours(tool, environment, name, seeds, make_policy, limit):
    """Per episode: observations, rewards and whether it terminated."""
    ours = Ours(tool, environment, name, seeds)
    policies = [make_policy(environment, seed) for seed in seeds]
    episodes = [types.SimpleNamespace(observations=[first], rewards=[], terminated=False)
                for first in ours.first]
    idle = np.zeros(environment.action_space.shape,
                    np.int32 if hasattr(environment.action_space, "n") else np.float32)
    for _ in range(limit):
        actions = np.array([idle if e.terminated else policy(e.observations[-1])
                            for e, policy in zip(episodes, policies)])
        for episode, result in zip(episodes, ours.step(actions)):
            if not episode.terminated:
                episode.observations.append(result["observation"])
                episode.rewards.append(float(result["reward"]))
                episode.terminated = bool(result["terminated"])
        if all(episode.terminated for episode in episodes):
            break
    ours.close()
    return episodes


def play_theirs(environment, seed, policy, limit):
    environment._np_random = CadreRandom(seed)
    first, _ = environment.reset()
    episode = types.SimpleNamespace(observations=[first], rewards=[], terminated=False)
    while len(episode.rewards) < limit and not episode.terminated:
        observation, reward, terminated, _, _ = environment.step(policy(episode.observations[-1]))
        episode.observations.append(observation)
        episode.rewards.append(float(reward))
        episode.terminated = terminated
    return episode


def difference(ours, theirs):
    """The largest difference of each observation that both episodes have."""
    both = min(len(ours.observations), len(theirs.observations))
    return np.abs(np.array(ours.observations[:both]) - np.array(theirs.observations[:both])).max(1)
