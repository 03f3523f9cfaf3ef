"""Environments for tests, with Gymnasium's interface but without Gymnasium.

The observation is [seed, episode, step, last action]; an episode has `length` steps, and the
reward of a step is its number. `fault` happens in step `at` of the process's environment number
`which`, once if `once` names a file that is not there yet.
"""

import os
import signal
import time

import numpy as np


class Box:
    def __init__(self, low, high, shape, dtype=np.float32):
        self.low, self.high = np.full(shape, low, dtype), np.full(shape, high, dtype)
        self.shape, self.dtype = tuple(shape), np.dtype(dtype)

    def __repr__(self):
        return f"Box({self.shape}, {self.dtype})"


class Discrete:
    def __init__(self, n, start=0):
        self.n, self.start = n, start
        self.shape, self.dtype = (), np.dtype(np.int64)

    def __repr__(self):
        return f"Discrete({self.n})"


class MultiDiscrete:
    def __init__(self, nvec):
        self.nvec = np.asarray(nvec)
        self.shape, self.dtype = self.nvec.shape, np.dtype(np.int64)


class MultiBinary:
    def __init__(self, n):
        self.n, self.shape, self.dtype = n, (n,), np.dtype(np.int8)


class Dict:
    def __init__(self, **spaces):
        self.spaces = spaces


class Tuple:
    def __init__(self, *spaces):
        self.spaces = spaces


class Text:
    def __repr__(self):
        return "Text(5)"


made = 0


class Counter:
    observation_space = Box(-np.inf, np.inf, (4,))
    action_space = Discrete(3, start=5)

    def __init__(self, length=4, fault="", at=3, once="", which=0):
        global made
        self.length, self.fault, self.at, self.once = length, fault, at, once
        self.mine = made == which
        made += 1
        self.seed, self.episode, self.steps, self.all_steps = -1, -1, 0, 0
        if self.fault == "making" and self.due():
            raise RuntimeError("cannot be made")

    def due(self):
        if not self.mine or not self.once:
            return self.mine
        try:
            os.close(os.open(self.once, os.O_CREAT | os.O_EXCL))  # Of several workers one.
        except FileExistsError:
            return False
        return True

    def shown(self, action=0):
        return np.array([self.seed, self.episode, self.steps, action], np.float32)

    def reset(self, seed=None, options=None):
        if seed is not None:
            self.seed, self.episode = seed % 1000, -1
        self.episode += 1
        self.steps = 0
        return self.shown(), {}

    def step(self, action):
        self.steps += 1
        self.all_steps += 1
        reward, observation = float(self.steps), self.shown(action)
        if self.fault and self.all_steps == self.at and self.due():
            if self.fault == "raise":
                raise ValueError("the bridge\nis out")
            if self.fault == "hang":
                time.sleep(1000)
            if self.fault == "exit":
                os._exit(7)
            if self.fault == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.fault == "nan":
                observation[2] = np.nan
            if self.fault == "infinite_reward":
                reward = np.inf
            if self.fault == "shape":
                observation = observation[:3]
            if self.fault == "dtype":
                observation = np.array(["a", "b", "c", "d"])
            if self.fault == "reward":
                reward = "much"
            if self.fault == "none":
                observation = None
        return observation, reward, self.steps >= self.length, False, {}


class Truncating(Counter):
    """Says that both happened at once."""

    def step(self, action):
        observation, reward, ended, _, info = super().step(action)
        return observation, reward, ended, ended, info


class Everything:
    """Shows every kind of space, and what action came."""

    observation_space = Dict(image=Box(0, 255, (2, 3), np.uint8), floor=Discrete(3, start=1),
                             inner=Tuple(MultiDiscrete([2, 3]), MultiBinary(2)),
                             wide=Box(-1, 1, (2,), np.float64))
    action_space = MultiDiscrete([2, 4])

    def shown(self):
        return {"image": np.full((2, 3), 200, np.uint8), "floor": 2,
                "inner": (np.array([1, 2]), np.array([0, 1], np.int8)),
                "wide": np.array([0.25, -0.5])}

    def reset(self, seed=None, options=None):
        return self.shown(), {}

    def step(self, action):
        return self.shown(), float(action[0] * 10 + action[1]), False, False, {}


class Driven:
    """The reward is the sum of its two continuous actions, which are kept in [-1, 2]."""

    observation_space = Box(0, 1, (1,))
    action_space = Box(-1, 2, (2,))

    def reset(self, seed=None, options=None):
        return np.zeros(1, np.float32), {}

    def step(self, action):
        return np.zeros(1, np.float32), action.sum(), False, False, {}


class Masked(Counter):
    """Allows the action (step mod 3), and none at all after an episode's end."""

    action_space = Discrete(3)

    def action_masks(self):
        mask = np.zeros(3, bool)
        if self.steps < self.length:
            mask[self.steps % 3] = True
        return mask


class MaskedByInfo(Masked):
    action_masks = None

    def reset(self, seed=None, options=None):
        observation, info = super().reset(seed)
        return observation, {**info, "action_mask": Masked.action_masks(self)}

    def step(self, action):
        *rest, info = super().step(action)
        return (*rest, {**info, "action_mask": Masked.action_masks(self).astype(np.int8)})


class Unsupported(Counter):
    observation_space = Text()


class UnsupportedAction(Counter):
    action_space = Dict(a=Discrete(2))


class VectorCounter:
    """`num_envs` Counters of different lengths, restarted in one of Gymnasium's three ways."""

    single_observation_space = Counter.observation_space
    single_action_space = Counter.action_space

    def __init__(self, num_envs, mode="NextStep"):
        self.num_envs, self.mode = num_envs, mode
        self.metadata = {"autoreset_mode": mode}
        self.envs = [Counter(length=3 + i) for i in range(num_envs)]
        self.ended = [False] * num_envs

    def reset(self, seed=None, options=None):
        chosen = options["reset_mask"] if options else np.ones(self.num_envs, bool)
        for i, env in enumerate(self.envs):
            if chosen[i]:
                env.reset(seed=seed[i] if seed else None)
                self.ended[i] = False
        return np.stack([env.shown() for env in self.envs]), {}

    def step(self, actions):
        assert actions.shape == (self.num_envs,)
        observations, rewards, ends, finals = [], [], [], np.full(self.num_envs, None)
        for i, env in enumerate(self.envs):
            if self.ended[i]:
                assert self.mode == "NextStep", "stepped after its end"
                observation, reward, ended = env.reset()[0], 0.0, False
            else:
                observation, reward, ended, _, _ = env.step(actions[i])
            if ended and self.mode == "SameStep":
                finals[i] = observation
                observation = env.reset()[0]
            self.ended[i] = ended and self.mode != "SameStep"
            observations.append(observation)
            rewards.append(reward)
            ends.append(ended)
        info = {"final_obs": finals, "_final_obs": np.array(ends)} if any(ends) else {}
        return (np.stack(observations), np.array(rewards), np.array(ends),
                np.zeros(self.num_envs, bool), info if self.mode == "SameStep" else {})
