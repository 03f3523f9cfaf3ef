"""Cadre from Python.

make_vec(id, num_envs) runs any of Cadre's own environments as a gymnasium.vector.VectorEnv. The
other way, Python environments in Cadre, needs no import: a config names them (GymnasiumConfig).
"""

from typing import Any

__all__ = ["make_vec"]


def __getattr__(name: str) -> Any:
    # Environment workers import this package, and need no Gymnasium.
    if name == "make_vec":
        from cadre.vector_env import make_vec
        return make_vec
    raise AttributeError(f"module 'cadre' has no attribute {name!r}")
