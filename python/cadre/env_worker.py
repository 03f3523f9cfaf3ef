"""python -m cadre.env_worker --control FD --memory FD: steps environments for Cadre.

Cadre starts it, with a socket and a block of shared memory; see cadre.protocol. It ends when the
other end of the socket is closed. What environments print goes to the standard error.
"""

import argparse
import functools
import importlib
import importlib.util
import inspect
import json
import os
import socket
import sys
from typing import Any, Callable, Dict, Union


Environments = Any  # SingleEnvironments or VectorEnvironments


def parsed(value: str) -> Any:
    """A value of GymnasiumConfig.kwargs: JSON, or else the string itself."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def function_of(entry_point: str) -> Callable[..., Any]:
    module, _, name = entry_point.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def gymnasium() -> Any:
    try:
        return importlib.import_module("gymnasium")
    except ImportError as error:
        raise ImportError(f"{error}; wanted gymnasium, for which "
                          f"{sys.executable} -m pip install gymnasium") from None


def make_vector(request: Dict[str, Any], kwargs: Dict[str, Any], count: int) -> Any:
    """With the first autoreset_mode that it takes, unless the config says which."""
    entry_point = request.get("entry_point")
    if entry_point:
        own = function_of(entry_point)
        make = functools.partial(own, num_envs=count)
    else:
        gym, name = gymnasium(), request["id"]
        if ":" in name:
            importlib.import_module(name.partition(":")[0])
        own = gym.spec(name).vector_entry_point
        if own is None:
            mode = kwargs.pop("autoreset_mode", "Disabled")
            return gym.make_vec(name, num_envs=count, vectorization_mode="sync",
                                vector_kwargs={"autoreset_mode": mode}, **kwargs)
        own = own if callable(own) else function_of(own)
        make = functools.partial(gym.make_vec, name, num_envs=count,
                                 vectorization_mode="vector_entry_point")
    if "autoreset_mode" not in kwargs and "autoreset_mode" in parameters_of(own):
        modes = gymnasium().vector.AutoresetMode
        for mode in (modes.DISABLED, modes.SAME_STEP):
            try:
                return make(autoreset_mode=mode, **kwargs)
            except (ValueError, AssertionError, NotImplementedError):
                pass  # That mode, or something else that shows below.
    return make(**kwargs)


def parameters_of(make: Callable[..., Any]) -> Any:
    try:
        return inspect.signature(make).parameters
    except (TypeError, ValueError):
        return {}


def make_environments(request: Dict[str, Any]) -> Environments:
    from cadre.single_environments import SingleEnvironments
    from cadre.vector_environments import VectorEnvironments
    kwargs = {name: parsed(value) for name, value in request["kwargs"].items()}
    name = f"'{request.get('id') or request['entry_point']}'"
    first, count = request["first"], request["count"]
    if request["vector"]:
        return VectorEnvironments(
            lambda **more: make_vector(request, {**kwargs, **more}, count), name, first, count)
    if request.get("entry_point"):
        return SingleEnvironments(lambda: function_of(request["entry_point"])(**kwargs), name,
                                  first, count)

    def make() -> Any:
        # Cadre checks what environments return, and actions before they come.
        return gymnasium().make(request["id"], disable_env_checker=True, **kwargs)

    return SingleEnvironments(make, name, first, count)


def begin(request: Union[str, Dict[str, Any]]) -> Environments:
    """What the first message asks for."""
    from cadre.protocol import VERSION
    if not isinstance(request, dict) or request.get("protocol") != VERSION:
        version = request.get("protocol") if isinstance(request, dict) else request
        raise RuntimeError(f"Cadre speaks version {version} of the protocol of environment "
                           f"workers; wanted {VERSION}, of the package at "
                           f"{os.path.dirname(__file__)}")
    return make_environments(request)


def serve(channel: Any, memory: int) -> None:
    from cadre.protocol import VERSION, Block
    environments = begin(channel.receive())
    spec = environments.spec()
    channel.send({"spec": spec, "protocol": VERSION})
    while True:
        message = channel.receive()
        if message == "step":
            environments.step(masked=False)
        elif message == "step_some":
            environments.step(masked=True)
        elif message == "restart":
            environments.restart()
        elif message == "reset":
            environments.reset()
        elif isinstance(message, dict) and "layout" in message:
            environments.use(Block(memory, message["layout"], spec))
        else:
            raise RuntimeError(f"got message {message!r}; wanted a step or a reset")
        channel.send("ok")


def main() -> int:
    parser = argparse.ArgumentParser(prog="cadre.env_worker")
    parser.add_argument("--control", type=int, required=True)
    parser.add_argument("--memory", type=int, required=True)
    flags = parser.parse_args()
    connection = socket.socket(fileno=flags.control)
    if importlib.util.find_spec("numpy") is None:
        text = (f"No module named 'numpy'; wanted {sys.executable} -m pip install numpy")
        connection.sendall(json.dumps({"error": text}).encode() + b"\n")
        return 1
    from cadre.protocol import Channel, Closed
    from cadre.single_environments import Broken, where
    from cadre.spaces import Unsupported
    channel = Channel(connection)
    try:
        serve(channel, flags.memory)
    except Closed:
        return 0
    except (Broken, Unsupported) as error:
        text = str(error)
    except Exception as error:  # Whatever it is, Cadre reports it.
        text = where(error)
    try:
        channel.send({"error": text.replace("\n", " ")})
    except Closed:
        pass
    return 1


if __name__ == "__main__":
    # Whatever was imported: at once, as a thread of an environment may hang.
    code = main()
    sys.stderr.flush()
    os._exit(code)
