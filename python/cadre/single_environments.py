"""Environments with Gymnasium's interface, one after the other, as rows of a shared block."""

import traceback
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

import numpy as np

from cadre.protocol import Block
from cadre.spaces import MASK_COLUMN, Action, Observation, WrongValue, allowed_row, describe


class Broken(Exception):
    """An environment did something that it must not; the message is one line."""


def where(error: BaseException) -> str:
    """An exception as one line: what it says, and the line of code that raised it."""
    last = traceback.format_exception_only(type(error), error)[-1].strip().replace("\n", " ")
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return last
    frame = frames[-1]
    return f"{last} ({frame.filename}:{frame.lineno} in {frame.name})"


def number_of(reward: Any) -> float:
    if isinstance(reward, (int, float, np.number, np.bool_)):
        return float(reward)
    if isinstance(reward, np.ndarray) and reward.size == 1 and reward.dtype.kind in "fiub":
        return float(reward.reshape(-1)[0])
    raise WrongValue(f"reward is {describe(reward)}; wanted a number")


class Masks:
    """Which actions an environment allows: info["action_mask"], or its action_masks()."""

    def __init__(self, env: Any, info: Dict[str, Any], action: Action):
        self.method: Optional[Callable[[], Any]] = None
        self.shown = False
        if action.kind == "continuous":
            return
        self.shown = isinstance(info, dict) and MASK_COLUMN in info
        if not self.shown:
            getter = getattr(env, "get_wrapper_attr", None)
            try:
                self.method = getter("action_masks") if getter else env.action_masks
                self.shown = True
            except AttributeError:
                pass

    def of(self, info: Dict[str, Any]) -> Any:
        return self.method() if self.method is not None else info[MASK_COLUMN]


class SingleEnvironments:
    """`make()` makes one of them. Rows [first, first + count) of the block are theirs."""

    def __init__(self, make: Callable[[], Any], name: str, first: int, count: int):
        self._name, self._first = name, first
        self._envs: List[Any] = []
        for i in range(count):
            self._envs.append(self._call(i, "making it", make))
        env = self._envs[0]
        for attribute in ("observation_space", "action_space", "reset", "step"):
            if not hasattr(env, attribute):
                raise Broken(f"{name} is a {type(env).__name__}, which has no {attribute}; wanted "
                             "an environment with Gymnasium's interface")
        self._observation = Observation(env.observation_space)
        self._action = Action(env.action_space)
        self._masks: List[Masks] = []
        # Whether actions are masked shows only after a reset.
        for i, each in enumerate(self._envs):
            info = self._call(i, "reset", self._reset_of(each), 0)[1]
            self._masks.append(Masks(each, info, self._action))
        self.masked = self._masks[0].shown
        self._block: Optional[Block] = None

    def spec(self) -> Dict[str, Any]:
        shown = [column.to_json() for column in self._observation.columns]
        if self.masked:
            shown.append({"name": MASK_COLUMN, "dtype": "uint8",
                          "shape": [sum(self._action.counts)], "low": 0, "high": 1})
        return {"shown": shown, "masked": self.masked, "action": self._action.to_json(),
                **limits_of(getattr(self._envs[0], "spec", None))}

    def use(self, block: Block) -> None:
        first = self._first
        self._block = block
        rows = range(first, first + len(self._envs))
        # Views of single rows, made once.
        self._rows = [[column[i] for column in block.observations] for i in rows]
        self._final_rows = [[column[i] for column in block.final_observations] for i in rows]
        self._own = slice(first, first + len(self._envs))

    def reset(self) -> None:
        assert self._block is not None
        for i, seed in enumerate(self._block.seeds[self._own].tolist()):
            self._start(i, seed)
        self._clear_results()

    def step(self, masked: bool) -> None:
        block = self._block
        assert block is not None
        actions = self._action.of_rows(block.actions[self._own])
        self._clear_results()
        chosen: Iterable[int] = range(len(self._envs))
        if masked:
            chosen = np.flatnonzero(block.stepped[self._own]).tolist()
        rewards = [0.0] * len(self._envs)
        for i in chosen:
            env = self._envs[i]
            try:
                observation, reward, terminated, truncated, info = env.step(actions[i])
                rewards[i] = reward if reward.__class__ is float else number_of(reward)
                self._observation.put(observation, self._rows[i])
                if self.masked:
                    self._put_mask(i, info)
            except Exception as error:
                raise self._broken(i, "step", error) from error
            if terminated or truncated:
                row = self._first + i
                for last, kept in zip(self._rows[i], self._final_rows[i]):
                    kept[...] = last
                block.terminated[row] = bool(terminated)
                block.truncated[row] = not terminated
                self._start(i)
        block.rewards[self._own] = rewards

    def restart(self) -> None:
        assert self._block is not None
        for i in np.flatnonzero(self._block.stepped[self._own]).tolist():
            self._start(i)

    def _clear_results(self) -> None:
        assert self._block is not None
        self._block.rewards[self._own] = 0
        self._block.terminated[self._own] = 0
        self._block.truncated[self._own] = 0

    @staticmethod
    def _reset_of(env: Any) -> Callable[..., Tuple[Any, Dict[str, Any]]]:
        def reset(seed: Optional[int] = None) -> Tuple[Any, Dict[str, Any]]:
            result = env.reset(seed=seed) if seed is not None else env.reset()
            if not isinstance(result, tuple) or len(result) != 2:
                raise WrongValue(f"reset returned {describe(result)}; wanted (observation, info)")
            return result
        return reset

    def _start(self, i: int, seed: Optional[int] = None) -> None:
        try:
            observation, info = self._reset_of(self._envs[i])(seed)
            self._observation.put(observation, self._rows[i])
            if self.masked:
                self._put_mask(i, info)
        except Exception as error:
            raise self._broken(i, "reset", error) from error

    def _put_mask(self, i: int, info: Dict[str, Any]) -> None:
        try:
            mask = self._masks[i].of(info)
        except KeyError:
            raise WrongValue(f"info has no '{MASK_COLUMN}', which it had at first") from None
        self._rows[i][-1][...] = allowed_row(mask, self._action.counts)

    def _call(self, i: int, what: str, call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except Exception as error:
            raise self._broken(i, what, error) from error

    def _broken(self, i: int, what: str, error: Exception) -> Broken:
        # What an environment returned is not the fault of the line that noticed it.
        text = str(error) if isinstance(error, WrongValue) else where(error)
        return Broken(f"environment {self._first + i} of {self._name}, {what}: {text}")


def limits_of(spec: Any) -> Dict[str, Any]:
    steps = getattr(spec, "max_episode_steps", None)
    threshold = getattr(spec, "reward_threshold", None)
    return {"max_episode_steps": int(steps) if steps else 0,
            "reward_threshold": float(threshold) if threshold is not None else None}
