"""A vector environment with Gymnasium's interface as rows of a shared block.

How episodes restart is up to the vector environment (its autoreset mode). Where it can be chosen
it is DISABLED: then the last observation of an episode is simply what the step returned, and the
next one starts by a masked reset in the same step. SAME_STEP shows the last observation in infos.
With NEXT_STEP an environment that ended ignores the action that comes next, and starts its next
episode instead: such a row is marked as skipped, and is no transition.
"""

from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from cadre.protocol import Block
from cadre.single_environments import Broken, limits_of, where
from cadre.spaces import Action, MASK_COLUMN, Observation, WrongValue, allowed_row, describe

MODES = ("NextStep", "SameStep", "Disabled")


def autoreset_mode(env: Any) -> str:
    """One of MODES; NextStep, the oldest, where the environment does not say."""
    mode = (getattr(env, "metadata", None) or {}).get("autoreset_mode", MODES[0])
    mode = getattr(mode, "value", mode)
    if mode not in MODES:
        raise Broken(f"autoreset mode {mode!r}; wanted one of {', '.join(MODES)}")
    return mode


class VectorEnvironments:
    """What `make()` returns, of `count` environments. Rows [first, first + count) are theirs."""

    def __init__(self, make: Callable[..., Any], name: str, first: int, count: int):
        self._name, self._first, self._count = name, first, count
        self._make = make
        self._env = self._call("making it", make)
        env = self._env
        for attribute in ("num_envs", "single_observation_space", "single_action_space"):
            if not hasattr(env, attribute):
                raise Broken(f"{name} is a {type(env).__name__}, which has no {attribute}; wanted "
                             "a vector environment with Gymnasium's interface")
        if env.num_envs != count:
            raise Broken(f"{name} has {env.num_envs} environments; wanted {count}, its num_envs")
        self._mode = autoreset_mode(env)
        self._observation = Observation(env.single_observation_space)
        self._action = Action(env.single_action_space)
        self._one_seed = False
        info = self._reset([0] * count)[1]
        self.masked = self._action.kind != "continuous" and MASK_COLUMN in info
        self._ended = np.zeros(count, bool)  # In the step before.

    def spec(self) -> Dict[str, Any]:
        shown = [column.to_json() for column in self._observation.columns]
        if self.masked:
            shown.append({"name": MASK_COLUMN, "dtype": "uint8",
                          "shape": [sum(self._action.counts)], "low": 0, "high": 1})
        return {"shown": shown, "masked": self.masked, "action": self._action.to_json(),
                **limits_of(getattr(self._env, "spec", None))}

    def use(self, block: Block) -> None:
        first = self._first
        self._block = block
        self._own = slice(first, first + self._count)
        self._rows = [column[self._own] for column in block.observations]
        self._final_rows = [column[self._own] for column in block.final_observations]

    def reset(self) -> None:
        seeds = self._block.seeds[self._own].tolist()
        if type(self._env).__module__.startswith("envpool"):
            # Its seeds are fixed when it is made.
            self._env.close()
            self._env = self._call("making it", self._make, seed=seeds[0])
        observations, info = self._reset(seeds)
        self._put(observations, info)
        self._ended[:] = False
        for results in (self._block.rewards, self._block.terminated, self._block.truncated,
                        self._block.skipped):
            results[self._own] = 0

    def _reset(self, seeds: List[int]) -> Tuple[Any, Dict[str, Any]]:
        """Some take a seed for each environment, some one for all."""
        if not self._one_seed:
            try:
                return self._env.reset(seed=seeds)
            except Exception:  # Whatever they say to it.
                self._one_seed = True
        return self._call("reset", self._env.reset, seed=seeds[0])

    def step(self, masked: bool) -> None:
        if masked:
            raise Broken(f"{self._name}: all environments of a vector environment step together")
        actions = self._action.of_rows(self._block.actions[self._own])
        observations, rewards, terminated, truncated, info = self._call(
            "step", self._env.step, actions)
        skipped = self._ended if self._mode == "NextStep" else np.zeros(self._count, bool)
        rewards = self._rewards(rewards)
        terminated = np.asarray(terminated, bool) & ~skipped
        truncated = np.asarray(truncated, bool) & ~skipped & ~terminated
        ended = terminated | truncated
        if ended.any() and self._mode == "SameStep":
            self._put_final(ended, info)
        self._put(observations, info)
        if ended.any() and self._mode != "SameStep":
            for kept, last in zip(self._final_rows, self._rows):
                kept[ended] = last[ended]
        if ended.any() and self._mode == "Disabled":
            self._start(ended)
        self._block.rewards[self._own] = np.where(skipped, 0, rewards)
        self._block.terminated[self._own] = terminated
        self._block.truncated[self._own] = truncated
        self._block.skipped[self._own] = skipped
        self._ended = ended

    def restart(self) -> None:
        if self._mode != "Disabled":
            raise Broken(f"{self._name}: an episode cannot be given up before its end; wanted an "
                         "autoreset_mode of Disabled")
        chosen = self._block.stepped[self._own] != 0
        if chosen.any():
            self._start(chosen)

    def _start(self, chosen: np.ndarray) -> None:
        observations, info = self._call("reset", self._env.reset,
                                        options={"reset_mask": chosen.copy()})
        # What is shown of the others may be anything.
        others = [rows[~chosen] for rows in self._rows]
        self._put(observations, info)
        for rows, shown in zip(self._rows, others):
            rows[~chosen] = shown

    def _rewards(self, rewards: Any) -> np.ndarray:
        array = np.asarray(rewards)
        if array.dtype.kind not in "fiub" or array.size != self._count:
            raise Broken(f"{self._name}, step: rewards are {describe(array)}; wanted "
                         f"{self._count} numbers")
        return array.reshape(self._count)

    def _put(self, observations: Any, info: Dict[str, Any]) -> None:
        try:
            self._observation.put_all(observations, self._rows)
            if self.masked and MASK_COLUMN in info:
                shown = info.get("_" + MASK_COLUMN, np.ones(self._count, bool))
                for i in np.flatnonzero(shown).tolist():
                    self._rows[-1][i] = allowed_row(info[MASK_COLUMN][i], self._action.counts)
        except WrongValue as error:
            raise Broken(f"{self._name}: {error}") from error

    def _put_final(self, ended: np.ndarray, info: Dict[str, Any]) -> None:
        finals: Optional[Any] = info.get("final_obs")
        if finals is None:
            raise Broken(f"{self._name}, step: an episode ended without infos['final_obs']; wanted "
                         "it, as the autoreset mode is SameStep")
        last_info = info.get("final_info") or {}
        try:
            for i in np.flatnonzero(ended).tolist():
                self._observation.put(taken(finals, i), [rows[i] for rows in self._final_rows])
                if self.masked and MASK_COLUMN in last_info:
                    self._final_rows[-1][i] = allowed_row(last_info[MASK_COLUMN][i],
                                                          self._action.counts)
                elif self.masked:
                    self._final_rows[-1][i] = 1
        except WrongValue as error:
            raise Broken(f"{self._name}: {error}") from error

    def _call(self, what: str, call: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        try:
            return call(*arguments, **more)
        except Exception as error:
            raise Broken(f"{self._name}, {what}: {where(error)}") from error


def taken(batch: Any, i: int) -> Any:
    """Observation i of a batch: an array of them, or a dictionary or tuple of such arrays."""
    if isinstance(batch, dict):
        return {key: taken(part, i) for key, part in batch.items()}
    if isinstance(batch, tuple):
        return tuple(taken(part, i) for part in batch)
    return batch[i]
