"""Holds Cadre's Box2D environments against Gymnasium's, episode by episode.

Usage: box2d_parity.py ENVS_LOCKSTEP 2.3|2.4 [EPISODES [TASK]]

Gymnasium draws from Cadre's generator here, so that both have the same ground, the same first
push and the same dispersion of the engines. EPISODES (default 40) are played by a random
policy, and LunarLander's by Gymnasium's heuristic one as well.

If ENVS_LOCKSTEP was built with Box2D 2.3, which is what Gymnasium steps, every observation,
reward and termination has to be identical. Box2D 2.4 solves joint limits and contacts in
another way: there the first observations agree to FIRST, and LunarLander's, as long as it
flies by random actions, to FLIGHT. Then the episodes part, and their means are shown. They do
differ: over 1,500 episodes of random actions LunarLander returns -199.9 with 2.4 and -184.7
with 2.3, 15.1 +- 2.5 less. A mean return is therefore held to BIAS and 3 standard errors.
"""

import subprocess
import sys
import types

import gymnasium
import numpy as np
from gymnasium.envs.box2d import lunar_lander

FIRST = 1e-3
FLIGHT = 2e-2
BIAS = 20
BATCH = 200  # Episodes at a time: each has a world of 100 KB.
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


class Comparison:
    """Episodes of one task by one policy in both."""

    def __init__(self, tool, version, name, make_policy):
        self.tool, self.exact = tool, version == "2.3"
        self.name, self.make_policy = name, make_policy
        self.limit = gymnasium.spec(name).max_episode_steps
        self.failures, self.returns, self.lengths = [], [], []
        self.compared = self.identical = 0
        self.first = self.flight = 0.0

    def environment(self):
        """A new one, as BipedalWalker's keeps its world, and with it the order of contacts."""
        environment = gymnasium.make(self.name, disable_env_checker=True).unwrapped
        environment._generate_clouds = lambda: None  # Draws numbers, for pictures only.
        return environment

    def run(self, episodes):
        for start in range(0, episodes, BATCH):
            seeds = range(start, min(start + BATCH, episodes))
            ours = play_ours(self.tool, self.environment(), self.name, seeds, self.make_policy,
                             self.limit)
            for seed, episode in zip(seeds, ours):
                environment = self.environment()
                policy = self.make_policy(environment, seed)
                self.compare(seed, episode, play_theirs(environment, seed, policy, self.limit))
        if not self.exact:
            self.check_mean("return", np.array(self.returns))
            self.check_mean("length", np.array(self.lengths))

    def compare(self, seed, ours, theirs):
        self.returns.append((sum(ours.rewards), sum(theirs.rewards)))
        self.lengths.append((len(ours.rewards), len(theirs.rewards)))
        off = difference(ours, theirs)
        self.compared += len(off)
        self.identical += int(np.sum(off == 0))
        if self.exact:
            if off.any() or ours.rewards != theirs.rewards or ours.terminated != theirs.terminated:
                self.failures.append(f"episode {seed} differs from observation "
                                     f"{int(np.argmax(off > 0))} on")
            return
        self.first = max(self.first, off[0])
        if off[0] > FIRST:
            self.failures.append(f"episode {seed}: first observations differ by {off[0]:.1e}")
        # Only if actions do not depend on what is seen: a policy answers small differences.
        if self.name.startswith("LunarLander") and self.make_policy is random_policy:
            legs = np.array([np.any(a[6:]) or np.any(b[6:]) for a, b in
                             zip(ours.observations, theirs.observations)])
            in_flight = off[: int(np.argmax(legs))] if legs.any() else off[:-1]
            self.flight = max(self.flight, in_flight.max())
            if in_flight.max() > FLIGHT:
                self.failures.append(f"episode {seed}: {in_flight.max():.1e} apart in flight")

    def check_mean(self, what, pairs):
        differences = pairs[:, 0] - pairs[:, 1]
        error = differences.std(ddof=1) / np.sqrt(len(differences))
        text = (f"{what} {pairs[:, 0].mean():.2f}, Gymnasium {pairs[:, 1].mean():.2f}, difference "
                f"{differences.mean():.2f} +- {error:.2f}")
        print(f"  {text}")
        if what == "return" and abs(differences.mean()) > BIAS + 3 * error:
            self.failures.append(f"{text}; wanted at most {BIAS} and 3 standard errors")


def main():
    if len(sys.argv) not in (3, 4, 5) or sys.argv[2] not in ("2.3", "2.4"):
        sys.exit(__doc__)
    tool, version = sys.argv[1:3]
    episodes = int(sys.argv[3]) if len(sys.argv) > 3 else 40
    failed = False
    for name in sys.argv[4:] or TASKS:
        for make_policy in (random_policy, heuristic_policy):
            if make_policy is heuristic_policy and not name.startswith("LunarLander"):
                continue
            comparison = Comparison(tool, version, name, make_policy)
            print(f"{name}, {make_policy.__name__}, {episodes} episodes", flush=True)
            comparison.run(episodes)
            print(f"  {comparison.identical} of {comparison.compared} observations identical; "
                  f"largest difference at first {comparison.first:.1e}, in flight "
                  f"{comparison.flight:.1e}", flush=True)
            for failure in comparison.failures[:5]:
                print(f"  FAILED {failure}")
            failed |= bool(comparison.failures)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
