"""Many worlds of one scene, stepped on all processors by one call."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Literal, NoReturn, Self, SupportsIndex, get_args

from . import _checks, _native
from .scene import Path, Scene, Value, _scene
from .simulation import Command, _view
from .summary import Summary, _summary

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

Action = Literal["twist", "ackermann", "joints", "joints_and_velocities"]
"""What a row of actions means: speed (m/s) and yaw rate (rad/s); speed and angle of the steering (rad); positions of all
servos (rad or m); positions, then velocities."""


class BatchSimulation:
    """``n`` worlds of one scene; each has the bits that it has alone.

    Args:
        scene: A :class:`Scene`, or what makes one.
        n: How many worlds.
        observe: Names of what is seen of each world, as for :meth:`Simulation.reading`: ``["rover/pose", "rover/lidar"]``.
        seed: Seed of the first world; those of the others follow it. Or a seed for each.
        duration: Simulated time after which a world is done (s); ``None``: the scene's.
        threads: Threads that share the worlds; ``None``: one a processor.
        agent: Name of the agent that acts; ``None``: nobody does.
        action: What a row of actions means.

    Example:
        >>> batch = BatchSimulation("robot", 4, observe=["rover/pose"], agent="rover")
        >>> batch.step(10, [[0.5, 0.0]] * 4).shape
        (4, 7)
    """

    def __init__(
        self,
        scene: Scene | Path | Mapping[str, Value],
        n: int,
        *,
        observe: Sequence[str],
        seed: SupportsIndex | Sequence[int] = 0,
        duration: float | None = None,
        threads: int | None = None,
        agent: str | None = None,
        action: Action = "twist",
    ) -> None:
        import numpy as np

        n = _checks.whole("n", n, 0, 1_000_000)
        seeds = _seeds(seed, n)
        threads = _processors() if threads is None else _checks.whole("threads", threads, 1, 1024)
        if duration is not None:
            duration = _checks.number("duration", duration, 0.0)
        if isinstance(observe, str):
            raise TypeError(f"found the text {observe!r} to observe; expected a list of names: [{observe!r}]")
        if action not in get_args(Action):
            raise ValueError(f"found the kind of actions {action!r}; expected one of {', '.join(get_args(Action))}")
        native = _scene(scene)._with_kinds()
        self._batch = _native.Batch(native, seeds, threads, duration, list(observe))
        self._seeds = seeds
        self._agent = agent
        self._action: Action = action
        self._rows = self._batch.rows()
        self._places = {
            name: (slice(first, first + len(fields)), tuple(fields), tuple(units))
            for name, fields, units, first in self._batch.observed()
        }
        self._done: NDArray[np.bool_] = np.zeros(n, dtype=np.bool_)

    def __len__(self) -> int:
        """How many worlds."""
        return len(self._seeds)

    @property
    def threads(self) -> int:
        """Threads that share the worlds."""
        return self._batch.threads()

    @property
    def seeds(self) -> list[int]:
        """Seed of each world."""
        return list(self._seeds)

    @property
    def observations(self) -> NDArray[np.float64]:
        """Numbers of all worlds, a row each: one array that cannot be written to, and which each step overwrites."""
        return self._rows

    @property
    def done(self) -> NDArray[np.bool_]:
        """Whether the scene of each world has ended, shape ``(n,)``."""
        return self._done

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        """Numbers of one name in all worlds, shape ``(n, fields)``: a view of :attr:`observations`."""
        return self._rows[:, self._place(name)[0]]

    def fields(self, name: str) -> tuple[str, ...]:
        """Names of the numbers of a name."""
        return self._place(name)[1]

    def _place(self, name: str) -> tuple[slice, tuple[str, ...], tuple[str, ...]]:
        if name not in self._places:
            known = ", ".join(self._places)
            raise KeyError(f"found {name!r}, which is not observed; expected one of {known}")
        return self._places[name]

    def step(
        self, ticks: int = 1, actions: ArrayLike | None = None, *, mask: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """Does this many ticks in each world, or in those where ``mask`` is true.

        Args:
            ticks: How many.
            actions: A row for each world, shape ``(n, numbers)``: what the agent does from now on, for at most half a
                second of simulated time; ``None``: its own controller decides.
            mask: Shape ``(n,)``.

        Returns:
            :attr:`observations`.
        """
        import numpy as np

        ticks = _checks.whole("ticks", ticks, 0, _checks.MOST_TICKS)
        steps = None if mask is None else np.asarray(mask, dtype=np.bool_).tolist()
        rows = None
        if actions is not None:
            if self._agent is None:
                raise ValueError("found actions for nobody; expected `agent` when the batch was made")
            rows = np.ascontiguousarray(actions, dtype=np.float64)
            if rows.ndim != 2:
                raise ValueError(f"found actions of shape {rows.shape}; expected ({len(self)}, numbers)")
        agent = None if rows is None else self._agent
        try:
            done = self._batch.step(ticks, agent, self._action, rows, steps)
        except BaseException:
            # The worlds have ended at different ticks: what is observed is where they are.
            self._done = np.array(self._batch.step(0), dtype=np.bool_)
            raise
        self._done = np.array(done, dtype=np.bool_)
        return self._rows

    def reset(
        self, *, mask: ArrayLike | None = None, seed: SupportsIndex | Sequence[int] | None = None
    ) -> NDArray[np.float64]:
        """Resets all worlds, or those where ``mask`` is true, to the start of their scene.

        Args:
            mask: Shape ``(n,)``.
            seed: Seed of the first world, whose successors are those of the others; a seed for each world; ``None``:
                each keeps its own.

        Returns:
            :attr:`observations`.
        """
        import numpy as np

        n = len(self)
        chosen = np.ones(n, dtype=np.bool_) if mask is None else np.asarray(mask, dtype=np.bool_)
        if chosen.shape != (n,):
            raise ValueError(f"found a mask of shape {chosen.shape}; expected ({n},)")
        seeds = self._seeds if seed is None else _seeds(seed, n)
        native = [one if is_reset else None for one, is_reset in zip(seeds, chosen, strict=True)]
        self._seeds = [new if is_reset else old for new, old, is_reset in zip(seeds, self._seeds, chosen, strict=True)]
        try:
            self._batch.reset(native)
        except BaseException:
            self._done = np.array(self._batch.step(0), dtype=np.bool_)
            raise
        self._done = self._done & ~chosen
        return self._rows

    def command(self, agent: str, requests: Sequence[Command | None]) -> None:
        """Gives an agent of each world a request, as :meth:`Simulation.command` does; ``None``: none in this world.

        Raises:
            Refused: The agent of a world cannot follow it.
            UnknownName: No agent has this name.
        """
        texts = ["" if request is None else json.dumps(request) for request in requests]
        self._batch.command(agent, texts)

    def picture(
        self,
        world: int = 0,
        *,
        agent: str | None = None,
        distance_m: float | None = None,
        yaw_rad: float = -0.6,
        pitch_rad: float = 0.6,
        width: int = 480,
        height: int = 360,
    ) -> NDArray[np.uint8]:
        """A picture of now, drawn by the processor: red, green, blue of each pixel, shape ``(height, width, 3)``.

        Args:
            world: Index of the world.
            agent: Name of the agent that is looked at; ``None``: all.
            distance_m: Distance of the camera (m); ``None``: as far as everything fits.
            yaw_rad: Direction in which it looks, counter-clockwise from x (rad).
            pitch_rad: How far down it looks: 0 to the horizon, 1.57 straight down, as a map (rad).
            width: In pixels, 16 to 2048.
            height: In pixels.
        """
        world = _checks.whole("world", world, 0, max(0, len(self) - 1))
        width, height = _checks.picture(width, height)
        view = _view(agent, distance_m, yaw_rad, pitch_rad, width, height)
        return self._batch.picture(world, view)

    def summaries(self) -> list[Summary]:
        """Summary of each world."""
        return [_summary(text) for text in self._batch.summaries()]

    def state_hashes(self) -> list[str]:
        """Hash of the state of each world: that of a single simulation with its seed."""
        return [summary.state_hash for summary in self.summaries()]

    def close(self) -> None:
        """Ends all worlds."""
        self._batch.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> Literal[False]:
        self.close()
        return False

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "found a batch to pickle, which is running engines; expected its Scene and seeds: make it where it is used"
        )


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def _seeds(seed: SupportsIndex | Sequence[int], n: int) -> list[int]:
    """A seed for each world."""
    if not isinstance(seed, Iterable):
        first = _checks.whole("seed", seed, 0, _checks.MOST_SEED - n + 1)
        return [first + world for world in range(n)]
    seeds = [_checks.whole("seed", one, 0, _checks.MOST_SEED) for one in seed]
    if len(seeds) != n:
        raise ValueError(f"found {len(seeds)} seeds; expected {n}, one a world")
    return seeds
