"""What Cadre and a process that steps environments say to each other.

Control goes over a stream socket, one line a message: words ("step", "ok") or JSON. Actions,
observations and all else that a step moves lie in one block of shared memory, which both map.
envs/python/README.md describes both; envs/python/shared_block.h is the other end.
"""

import json
import mmap
import os
import socket
import struct
import time
from typing import Any, Dict, List, Optional, Union

import numpy as np

VERSION = 1
MAGIC = 0x5652444143454E56  # "VNECADRV", of the block's header.

Message = Union[str, Dict[str, Any]]


class Closed(Exception):
    """The other end has gone away."""


class Channel:
    """One end of the socket. Not thread-safe.

    Before it sleeps it asks for `spin_seconds`, if the other end answered soon the last time: to be
    woken up takes as long as many a native step.
    """

    def __init__(self, connection: socket.socket, spin_seconds: float = 200e-6):
        self._socket, self._spin_seconds = connection, spin_seconds
        self._soon = True
        self._received = b""

    def send(self, message: Message) -> None:
        text = message if isinstance(message, str) else json.dumps(message, allow_nan=False)
        try:
            self._socket.sendall(text.encode() + b"\n")
        except (BrokenPipeError, ConnectionResetError):
            raise Closed from None

    def receive(self) -> Message:
        while b"\n" not in self._received:
            more = self._read()
            if not more:
                raise Closed
            self._received += more
        line, _, self._received = self._received.partition(b"\n")
        text = line.decode()
        return json.loads(text) if text.startswith("{") else text

    def _read(self) -> bytes:
        asked = time.perf_counter()
        try:
            while self._soon and time.perf_counter() < asked + self._spin_seconds:
                try:
                    return self._socket.recv(1 << 16, socket.MSG_DONTWAIT)
                except BlockingIOError:
                    os.sched_yield()
            return self._socket.recv(1 << 16)
        except ConnectionResetError:
            return b""
        finally:
            # Whoever answered soon the last time is asked before the next sleep.
            self._soon = time.perf_counter() < asked + 2 * self._spin_seconds

    def close(self) -> None:
        self._socket.close()


class Block:
    """The shared memory as arrays, each with a row for each environment.

    actions: int32 [N, K] or float32 [N, A]. stepped, skipped, terminated, truncated: uint8 [N].
    rewards: float32 [N]. seeds: int64 [N]. observations, final_observations: by column, in its
    dtype, [N, shape...].
    """

    def __init__(self, descriptor: int, layout: Dict[str, Any], spec: Dict[str, Any]):
        self._memory = mmap.mmap(descriptor, layout["bytes"])
        magic, version = struct.unpack_from("<QI", self._memory)
        if magic != MAGIC or version != VERSION:
            raise ValueError(f"shared memory of version {version}; wanted {VERSION}")
        count, at = layout["count"], layout["offsets"]
        action = spec["action"]
        continuous = action["kind"] == "continuous"
        self.actions = self._array(at["actions"], np.float32 if continuous else np.int32,
                                   (count, len(action["low" if continuous else "counts"])))
        self.stepped = self._array(at["stepped"], np.uint8, (count,))
        self.skipped = self._array(at["skipped"], np.uint8, (count,))
        self.terminated = self._array(at["terminated"], np.uint8, (count,))
        self.truncated = self._array(at["truncated"], np.uint8, (count,))
        self.rewards = self._array(at["rewards"], np.float32, (count,))
        self.seeds = self._array(at["seeds"], np.int64, (count,))
        self.observations = self._columns(at["observations"], count, spec)
        self.final_observations = self._columns(at["final_observations"], count, spec)

    def _array(self, offset: int, dtype: Any, shape: Any) -> np.ndarray:
        size = int(np.prod(shape))
        return np.frombuffer(self._memory, dtype, size, offset).reshape(shape)

    def _columns(self, offsets: List[int], count: int, spec: Dict[str, Any]) -> List[np.ndarray]:
        return [self._array(offset, column["dtype"], (count, *column["shape"]))
                for offset, column in zip(offsets, spec["shown"])]


def bounds_to_json(bounds: np.ndarray) -> Union[Optional[float], List[Optional[float]]]:
    """One number if they are all the same; null for what is not finite."""
    flat = np.asarray(bounds, np.float64).reshape(-1)
    values = [float(value) if np.isfinite(value) else None for value in flat]
    return values[0] if values and values.count(values[0]) == len(values) else values
