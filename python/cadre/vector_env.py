"""Cadre's environments as a gymnasium.vector.VectorEnv.

`cadre envs serve` runs them in a process of its own; actions and observations go through shared
memory. The process ends with the one that started it.
"""

import os
import shutil
import socket
import subprocess
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from cadre.protocol import VERSION, Block, Channel, Closed
from cadre.spaces import MASK_COLUMN


# Most native steps take less.
SPIN_SECONDS = 50e-6


class CadreError(RuntimeError):
    """What the process says is wrong, or that it has ended."""


def find_binary() -> str:
    """`cadre` in the folder $CADRE_BIN, or else on the PATH."""
    folder = os.environ.get("CADRE_BIN")
    found = shutil.which("cadre", path=folder) if folder else shutil.which("cadre")
    if found is None:
        raise CadreError(f"no program 'cadre' in {folder or 'the PATH'}; wanted it there, or "
                         "CADRE_BIN to name its folder")
    return found


def make_vec(id: str, num_envs: int = 1, *, copy: bool = True) -> "CadreVectorEnv":
    """`num_envs` copies of an environment of Cadre.

    `id`: one of `cadre envs`, "CartPole-v1"; or any environment as a config has it,
    'id: "CartPole-v1" max_episode_steps: 100 wrappers { frame_stack: 4 }'.
    `copy`: False: the arrays that reset and step return are valid until the next step only.
    """
    return CadreVectorEnv(id, num_envs, copy)


class CadreVectorEnv(VectorEnv):
    """Episodes restart in the step that ends them (AutoresetMode.SAME_STEP): the last observation
    is then in infos["final_obs"], where infos["_final_obs"] is True. If actions are masked,
    infos["action_mask"] has the mask, uint8 [num_envs, alternatives].
    """

    def __init__(self, id: str, num_envs: int, copy: bool = True):
        self._closed = True
        if num_envs < 1:
            raise ValueError(f"num_envs is {num_envs}; wanted 1 or more")
        self.num_envs, self._copy = num_envs, copy
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self._start(id, num_envs)
        self._closed = False
        try:
            self._describe()
        except Exception:
            self.close()
            raise

    def _describe(self) -> None:
        answer, num_envs = self._receive(), self.num_envs
        if answer.get("protocol") != VERSION:
            raise CadreError(f"{find_binary()} speaks version {answer.get('protocol')} "
                             f"of the protocol; wanted {VERSION}")
        self._spec = answer["spec"]
        self._block = Block(self._memory, answer["layout"], self._spec)
        columns = self._spec["shown"][:-1] if self._spec["masked"] else self._spec["shown"]
        self._names = [column["name"] for column in columns]
        boxes = [box_of(column) for column in columns]
        self._plain = self._names == ["obs"]
        self.single_observation_space = boxes[0] if self._plain else gymnasium.spaces.Dict(
            dict(zip(self._names, boxes)))
        self.single_action_space = action_space_of(self._spec["action"])
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(self, *, seed: Union[int, Sequence[Optional[int]], None] = None,
              options: Optional[Dict[str, Any]] = None) -> Tuple[Any, Dict[str, Any]]:
        """One seed is for all: each environment draws from a stream of its own. With
        options["reset_mask"] [num_envs] bool only those environments begin anew."""
        mask = (options or {}).get("reset_mask")
        if mask is not None:
            self._block.stepped[:] = np.asarray(mask, bool)
            self._do("restart")
            return self._observations(self._block.observations), self._infos()
        if not isinstance(seed, (int, np.integer, type(None))):
            seed = seed[0] if len(seed) else None
        if seed is None:
            seed = int(np.random.SeedSequence().generate_state(1)[0])
        self._block.seeds[0] = seed
        self._do("reset")
        return self._observations(self._block.observations), self._infos()

    def step(self, actions: Any) -> Tuple[Any, np.ndarray, np.ndarray, np.ndarray, Dict[str, Any]]:
        rows = self._block.actions
        batch = np.asarray(actions)
        if batch.size != rows.size or len(batch) != len(rows):
            raise ValueError(f"actions have shape {batch.shape}; wanted {self.action_space.shape}")
        rows[...] = batch.reshape(rows.shape)
        self._do("step")
        terminated = self._block.terminated.astype(bool)
        truncated = self._block.truncated.astype(bool)
        infos = self._infos()
        ended = terminated | truncated
        if ended.any():
            finals = np.full(self.num_envs, None, dtype=object)
            for i in np.flatnonzero(ended).tolist():
                finals[i] = self._final(i)
            infos["final_obs"], infos["_final_obs"] = finals, ended
        return (self._observations(self._block.observations),
                self._block.rewards.astype(np.float64), terminated, truncated, infos)

    def set_state(self, index: int, state: Sequence[float]) -> Any:
        """Puts the running episode of one environment into `state`, in the units of the task's
        equations. Returns all observations."""
        self._do({"set_state": {"index": int(index), "state": [float(x) for x in state]}})
        return self._observations(self._block.observations)

    def close_extras(self, **kwargs: Any) -> None:
        if self._closed:
            return
        self._closed = True
        self._channel.close()  # It ends then.
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._memory)

    def _start(self, id: str, num_envs: int) -> None:
        binary = find_binary()
        ours, theirs = socket.socketpair()
        self._memory = os.memfd_create("cadre-environments")
        command = [binary, "envs", "serve", id, "--num_envs", str(num_envs),
                   "--control", str(theirs.fileno()), "--memory", str(self._memory)]
        with theirs:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                             pass_fds=(theirs.fileno(), self._memory))
        self._channel = Channel(ours, SPIN_SECONDS)

    def _do(self, message: Union[str, Dict[str, Any]]) -> None:
        if self._closed:
            raise CadreError("the environments were closed")
        try:
            self._channel.send(message)
        except Closed:
            pass  # Its last words come first.
        self._receive()

    def _receive(self) -> Dict[str, Any]:
        try:
            answer = self._channel.receive()
        except Closed:
            code = self._process.wait()
            self.close()
            raise CadreError(f"the process of the environments ended with status {code}; wanted "
                             "it to answer") from None
        if isinstance(answer, dict) and "error" in answer:
            raise CadreError(answer["error"])
        return answer if isinstance(answer, dict) else {}

    def _observations(self, blocks: List[np.ndarray]) -> Any:
        shown = [block.copy() if self._copy else block for block in blocks[:len(self._names)]]
        return shown[0] if self._plain else dict(zip(self._names, shown))

    def _final(self, i: int) -> Any:
        rows = [block[i].copy() for block in self._block.final_observations[:len(self._names)]]
        return rows[0] if self._plain else dict(zip(self._names, rows))

    def _infos(self) -> Dict[str, Any]:
        if not self._spec["masked"]:
            return {}
        mask = self._block.observations[-1]
        return {MASK_COLUMN: mask.copy() if self._copy else mask,
                "_" + MASK_COLUMN: np.ones(self.num_envs, bool)}


def bounds_of(json: Any, shape: Sequence[int], none: float, dtype: Any) -> np.ndarray:
    values = json if isinstance(json, list) else [json] * int(np.prod(shape))
    return np.array([none if value is None else value for value in values], dtype).reshape(shape)


def box_of(column: Dict[str, Any]) -> gymnasium.spaces.Box:
    shape, dtype = tuple(column["shape"]), np.dtype(column["dtype"]).type
    return gymnasium.spaces.Box(bounds_of(column["low"], shape, -np.inf, dtype),
                                bounds_of(column["high"], shape, np.inf, dtype), shape, dtype)


def action_space_of(action: Dict[str, Any]) -> gymnasium.Space:
    if action["kind"] == "discrete":
        return gymnasium.spaces.Discrete(action["counts"][0])
    if action["kind"] == "multi_discrete":
        return gymnasium.spaces.MultiDiscrete(action["counts"])
    if action["kind"] == "multi_binary":
        return gymnasium.spaces.MultiBinary(len(action["counts"]))
    shape = (len(action["low"]),)
    return gymnasium.spaces.Box(bounds_of(action["low"], shape, -np.inf, np.float32),
                                bounds_of(action["high"], shape, np.inf, np.float32), shape,
                                np.float32)
