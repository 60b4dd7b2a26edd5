"""The worlds of a task."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..batch import Action, BatchSimulation
from ..scene import Scene
from ..simulation import Command, Simulation

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Worlds(BatchSimulation):
    """The worlds that a :class:`Task` acts on: ``worlds["rover/pose"]`` has a row for each, shape ``(n, 7)``.

    Beside what :class:`BatchSimulation` has, it counts steps and collisions of each world's episode, and gives requests
    to agents.

    Attributes:
        steps: Steps done since the reset of each world, shape ``(n,)``.
        collisions: Collisions of the agent in the latest step of each world, shape ``(n,)``.
        step_s: Simulated time of a step (s).
        ticks: Ticks of a step.
    """

    def __init__(
        self,
        scene: Scene,
        n: int,
        *,
        observe: Sequence[str],
        ticks: int,
        agent: str | None = None,
        action: Action = "twist",
        threads: int | None = None,
        display: str | None = None,
    ) -> None:
        travel = [] if agent is None else [f"{agent}/travel"]
        names = list(dict.fromkeys([*observe, *travel]))
        super().__init__(
            scene,
            n,
            observe=names,
            agent=agent,
            action=action,
            threads=1 if n == 1 and threads is None else threads,
        )
        found = re.search(r"\btick_ns: (\d+)", scene.resolved())
        tick_ns = int(found[1]) if found else 1_000_000
        self.ticks = ticks
        self.step_s: float = ticks * tick_ns * 1e-9
        if agent is not None and self.step_s > 0.5:
            self.close()
            raise ValueError(
                f"found steps of {ticks} ticks, which are {self.step_s:g} s; "
                "expected at most 0.5 s: requests expire after it"
            )
        self.steps: NDArray[np.int64] = np.zeros(n, dtype=np.int64)
        self.collisions: NDArray[np.float64] = np.zeros(n)
        self._counted: NDArray[np.float64] = np.zeros(n)
        # What a viewer shows: a simulation of the same scene, seeds and requests, which has the same bits.
        self._shown = None if display is None else Simulation(scene, display=display)

    def begin(self, mask: NDArray[np.bool_], seeds: Sequence[int], settle: int) -> None:
        """Resets the worlds where ``mask`` is true, shape ``(n,)``, and does ``settle`` ticks there."""
        self.reset(mask=mask, seed=seeds)
        if self._shown is not None and mask[0]:
            self._shown.reset(seeds[0])
        if settle:
            self._advance(settle, None, mask)
        self.steps[mask] = 0
        self.collisions[mask] = 0.0
        total = self._total()
        self._counted[mask] = total[mask]

    def advance(self, rows: ArrayLike | None, mask: NDArray[np.bool_]) -> None:
        """Does a step in the worlds where ``mask`` is true, shape ``(n,)``."""
        self._advance(self.ticks, rows, mask)
        self.steps += mask
        total = self._total()
        self.collisions = total - self._counted
        self._counted = total

    def _advance(self, ticks: int, rows: ArrayLike | None, mask: NDArray[np.bool_]) -> None:
        self.step(ticks, rows, mask=None if mask.all() else mask)
        if self._shown is not None:
            if rows is not None and self._agent is not None:
                numbers = np.asarray(rows, dtype=np.float64)
                self._shown.command(self._agent, _request(self._action, numbers[0].tolist()))
            self._shown.step(ticks)

    def _total(self) -> NDArray[np.float64]:
        """Collisions of each world since its reset."""
        if self._agent is None:
            return np.zeros(len(self))
        return self[f"{self._agent}/travel"][:, 2].copy()

    def command(self, agent: str, requests: Sequence[Command | None]) -> None:
        """Gives an agent a request in each world, as :meth:`Simulation.command` does; ``None``: none in this world."""
        texts = ["" if request is None else json.dumps(request) for request in requests]
        self._batch.command(agent, texts)
        if self._shown is not None and requests[0] is not None:
            self._shown.command(agent, requests[0])

    def close(self) -> None:
        """Ends all worlds, and completes what is shown."""
        super().close()
        shown: Simulation | None = getattr(self, "_shown", None)
        if shown is not None:
            self._shown = None
            shown.close()


def _request(action: Action, row: list[float]) -> Mapping[str, Any]:
    """The request of a row of actions."""
    if action == "twist":
        return {"Twist": {"linear_m_s": row[0], "angular_rad_s": row[1]}}
    if action == "ackermann":
        return {"Ackermann": {"speed_m_s": row[0], "steering_rad": row[1]}}
    servos = len(row) if action == "joints" else len(row) // 2
    velocities = row[servos:] or [0.0] * servos
    return {"Joints": {"positions": row[:servos], "velocities": velocities}}
