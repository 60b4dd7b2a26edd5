"""Environments for learners: Gymnasium's API, for one world or many, and PettingZoo's for several agents.

Importing this registers them; so does the prefix of an id, as in ``"becomingone.gym:becomingone/RoverReach-v0"``.

>>> import gymnasium, becomingone.gym
>>> envs = gymnasium.make_vec("becomingone/RoverReach-v0", num_envs=4)
>>> observations, infos = envs.reset(seed=0)
>>> observations.shape
(4, 5)

- :class:`Task`: scene, observation, action, reward and end of an environment, for many worlds at once; :func:`register`
  gives it an id. The built-in ones are in :mod:`becomingone.gym.tasks`.
- :class:`Env`, :class:`VectorEnv`: a task as an environment. ``VectorEnv(autoreset_mode=..)`` has all three modes.
- :func:`becomingone.gym.fleet.parallel_env`: several rovers in one scene, for PettingZoo.

All random numbers come from the seed: ``reset(seed=s)`` gives the bits of a new environment with that seed, and
environment ``i`` of ``num_envs`` has those of a single one with seed ``s + i``.
"""

from __future__ import annotations

from ..errors import Unavailable

try:
    import gymnasium as _gymnasium
except ImportError as _error:
    raise Unavailable(
        'found no gymnasium, which becomingone.gym needs: pip install "becomingone[gym]"'
    ) from _error

from typing import Any as _Any

from .env import Env, VectorEnv
from .task import Numbers, Options, Rngs, Task
from .worlds import Worlds

__all__ = ["Env", "Numbers", "Options", "Rngs", "Task", "VectorEnv", "Worlds", "register"]

_registration: _Any = _gymnasium
"""Gymnasium, whose ``register`` takes a ``dict`` of unknown types."""

IDS: dict[str, str] = {
    "becomingone/RoverPatrol-v0": "RoverPatrol",
    "becomingone/RoverReach-v0": "RoverReach",
    "becomingone/RoverReachLidar-v0": "RoverReachLidar",
    "becomingone/CarLap-v0": "CarLap",
    "becomingone/ArmReach-v0": "ArmReach",
    "becomingone/QuadrupedStand-v0": "QuadrupedStand",
    "becomingone/FaultDetect-v0": "FaultDetect",
}
"""Ids of the built-in environments, and their classes in :mod:`becomingone.gym.tasks`."""


def register(id: str, task: type[Task] | str, **options: object) -> None:
    """Registers a task for ``gymnasium.make`` and ``gymnasium.make_vec``.

    Args:
        id: The id: ``"me/Dock-v0"``.
        task: The class, or its place as text: ``"my_package.tasks:Dock"``. A class that a module has by its name is
            registered by that place, so that its spec can be written as JSON, pickled, and sent to other processes.
        options: Values of attributes of the task, which replace those of its class.
    """
    if not isinstance(task, str):
        import sys

        module = sys.modules.get(task.__module__)
        if task.__module__ != "__main__" and getattr(module, task.__qualname__, None) is task:
            task = f"{task.__module__}:{task.__qualname__}"
    _registration.register(
        id,
        entry_point="becomingone.gym.env:Env",
        vector_entry_point="becomingone.gym.env:VectorEnv",
        kwargs={"task": task, **options},
    )


for _id, _name in IDS.items():
    if _id not in _gymnasium.registry:
        register(_id, f"becomingone.gym.tasks:{_name}")
