"""A task: what an environment is made of."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..batch import Action
from ..scene import Path, Scene, Value
from .worlds import Worlds

Numbers = NDArray[np.float64]
"""An array of 64-bit numbers."""

Rngs = Mapping[int, np.random.Generator]
"""Sources of random numbers of worlds, by their indices."""

Options = Mapping[str, Any]
"""Values of attributes of a task, by their names."""


class Task:
    """A task of many worlds at once: all its arrays have a row for each world.

    Write your own by a subclass, and give it an id by :func:`becomingone.gym.register`. The environment calls, after each
    reset, :meth:`reset`, :meth:`observation` and :meth:`info`; in each step, :meth:`act`, then the ticks, then
    :meth:`reward`, :meth:`terminated`, :meth:`info` and :meth:`observation`, in this order. :meth:`observation` can be
    called twice a step, so it changes nothing. :meth:`reset` draws all random numbers and sets all that the task remembers
    of the worlds in its mask: then an episode depends on nothing but its seed.

    Args:
        options: Values that replace attributes of the class: ``max_steps=100``, ``randomise={..}``.

    Attributes:
        scene: A :class:`Scene`, or what makes one: a name, a file, a mapping.
        overrides: Values by their paths that are merged into the scene last: ``{"world.ground.friction": 0.4}``.
        randomise: What each episode draws anew, as the scene's key of this name: ``{"mass": [0.8, 1.2], "yaw_rad": 3.14}``;
            ``None``: nothing but the scene's own.
        agent: Name of the agent that acts; ``None``: nobody acts by rows.
        action: What a row of :meth:`act` means.
        ticks: Ticks of a step, at most 0.5 s of simulated time.
        settle: Ticks after a reset, before the first observation: 1 gives each sensor its first reading.
        max_steps: Steps after which an episode is truncated.
        observe: Names of what the task looks at, as for :meth:`Simulation.reading`. ``AGENT/travel`` is always there.
        view: How pictures look at a world, as for :meth:`BatchSimulation.picture`: ``{"agent": "rover"}``.
        observation_space: Of one world: a ``Box`` of float32 with finite bounds. Observations are clipped to it.
        action_space: Of one world: a ``Box`` with finite bounds, to which actions are clipped, or a ``Discrete``.
    """

    scene: Scene | Path | Mapping[str, Value] = "robot"
    overrides: Mapping[str, Value] = {}
    randomise: Mapping[str, Value] | None = None
    agent: str | None = None
    action: Action = "twist"
    ticks: int = 10
    settle: int = 0
    max_steps: int = 200
    observe: Sequence[str] = ()
    view: Mapping[str, Any] = {}
    observation_space: gymnasium.spaces.Box
    action_space: gymnasium.spaces.Box | gymnasium.spaces.Discrete[Any]

    def __init__(self, **options: Any) -> None:
        known = [name for name in dir(type(self)) if not name.startswith("_")]
        known = [name for name in known if not callable(getattr(type(self), name))]
        for name, value in options.items():
            if name not in known:
                raise TypeError(
                    f"found the option {name!r} of {type(self).__name__}; expected one of {', '.join(known)}"
                )
            setattr(self, name, value)

    def start(self, worlds: Worlds) -> None:
        """Makes the arrays that the task remembers, once, before the first reset."""

    def reset(self, worlds: Worlds, mask: NDArray[np.bool_], rngs: Rngs) -> None:
        """Begins an episode in the worlds where ``mask`` is true, shape ``(n,)``: they have been reset.

        Args:
            worlds: All worlds.
            mask: Worlds whose episode begins.
            rngs: Source of random numbers of each world whose episode begins, by its index: draw from no other.
        """

    def act(self, worlds: Worlds, actions: NDArray[Any]) -> ArrayLike | None:
        """What the agents do in this step.

        Args:
            worlds: All worlds, before the step.
            actions: A row for each world, shape ``(n, *action_space.shape)``: within bounds, finite; float64 for a
                ``Box``, int64 for a ``Discrete``. In a world that is reset in place of this step, the row is arbitrary.

        Returns:
            A row for each world, as :attr:`action` means; ``None``: the agent's own controller decides.
        """
        return actions

    def observation(self, worlds: Worlds) -> ArrayLike:
        """What the learner sees, shape ``(n, *observation_space.shape)``: finite numbers."""
        raise NotImplementedError(f"{type(self).__name__}.observation")

    def reward(self, worlds: Worlds) -> ArrayLike:
        """Reward of the latest step, shape ``(n,)``."""
        raise NotImplementedError(f"{type(self).__name__}.reward")

    def terminated(self, worlds: Worlds) -> ArrayLike:
        """Whether the episode has come to its own end, shape ``(n,)``: the goal is reached, the car is off the track."""
        return np.zeros(len(worlds), dtype=np.bool_)

    def cost(self, worlds: Worlds) -> NDArray[np.float64]:
        """Cost of the latest step beside the reward, shape ``(n,)``, 0 or more.

        Collisions of the agent, and 1 while its kernel has an alarm, where the task observes ``AGENT/kernel``.
        """
        cost = worlds.collisions.copy()
        if f"{self.agent}/kernel" in self.observe:
            alarm = worlds[f"{self.agent}/kernel"][:, 7]
            cost += np.where(np.isnan(alarm), 0.0, alarm)
        return cost

    def info(self, worlds: Worlds) -> dict[str, NDArray[Any]]:
        """What else is known, each of shape ``(n, ..)``: ``cost``, and what a subclass adds."""
        return {"cost": self.cost(worlds)}

    def make_scene(self) -> Scene:
        """The scene, with what is merged into it."""
        merged: dict[str, Value] = dict(self.overrides)
        if self.randomise is not None:
            merged["randomise"] = self.randomise
        if not isinstance(self.scene, Scene):
            return Scene(self.scene, set=merged)
        if merged:
            raise ValueError(
                "found `overrides` or `randomise` beside a Scene; expected them in its `set=`, "
                "or a scene by name, file or mapping"
            )
        return self.scene

    def make(self, n: int, threads: int | None, display: str | None) -> Worlds:
        """Makes the worlds."""
        worlds = Worlds(
            self.make_scene(),
            n,
            observe=self.observe,
            ticks=self.ticks,
            agent=self.agent,
            action=self.action,
            threads=threads,
            display=display,
        )
        self.start(worlds)
        return worlds


def made(task: type[Task] | str, options: Options) -> Task:
    """Makes a task from its class, or from the place of its class (``"package.module:Class"``), and checks its spaces."""
    kind: Any = task
    if isinstance(task, str):
        module, _, name = task.partition(":")
        kind = getattr(importlib.import_module(module), name, None)
    if not (isinstance(kind, type) and issubclass(kind, Task)):
        raise TypeError(f"found the task {task!r}; expected a subclass of becomingone.gym.Task, or MODULE:CLASS")
    this = kind(**options)
    for which, kinds in [
        ("observation_space", (gymnasium.spaces.Box,)),
        ("action_space", (gymnasium.spaces.Box, gymnasium.spaces.Discrete)),
    ]:
        space = getattr(this, which, None)
        if not isinstance(space, kinds):
            expected = " or ".join(kind.__name__ for kind in kinds)
            raise TypeError(f"found {kind.__name__}.{which} = {space!r}; expected a {expected}")
        if isinstance(space, gymnasium.spaces.Box) and not space.is_bounded("both"):
            raise ValueError(
                f"found {kind.__name__}.{which} with bounds that are not finite; expected finite ones"
            )
    if this.observation_space.dtype != np.float32:
        raise TypeError(
            f"found {kind.__name__}.observation_space of {this.observation_space.dtype}; expected float32"
        )
    return this


def box(low: ArrayLike, high: ArrayLike | None = None) -> gymnasium.spaces.Box:
    """A ``Box`` of float32 with these bounds, in one dimension; without ``high``: from ``-low`` to ``low``."""
    lowest = np.asarray(low, dtype=np.float32)
    if high is None:
        return gymnasium.spaces.Box(-lowest, lowest, dtype=np.float32)
    return gymnasium.spaces.Box(lowest, np.asarray(high, dtype=np.float32), dtype=np.float32)
