"""Several rovers in one scene, each with goals of its own: PettingZoo's parallel API.

>>> from becomingone.gym.fleet import parallel_env
>>> env = parallel_env(rovers=3)
>>> observations, infos = env.reset(seed=1)
>>> sorted(observations)
['rover_0', 'rover_1', 'rover_2']
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import seeding
from numpy.typing import NDArray

from ..errors import Unavailable
from ..scene import Scene, Value
from .env import Observation, world_seed
from .task import Numbers, box
from .tasks import motion, to_goal, yaw
from .worlds import Worlds

try:
    from pettingzoo import ParallelEnv  # type: ignore[import-untyped, unused-ignore]
except ImportError as _error:
    raise Unavailable(
        'found no pettingzoo, which becomingone.gym.fleet needs: pip install "becomingone[fleet]"'
    ) from _error

_SIDE_M = 3.5
_FAR_M = 15.0


class Fleet(ParallelEnv[str, Any, Any]):  # type: ignore[misc, unused-ignore]
    """Rovers on a plane drive to goals, one after the other, and keep clear of each other.

    Observation of each, shape ``(11,)``, float32: distance of its goal (m), cosine and sine of its bearing, speed (m/s),
    yaw rate (rad/s), and where the three nearest rovers are in its own axes (m, x forward, y left; 15 where there is none).
    Action of each, -1 to 1: speed (of 1 m/s), yaw rate (of 1.5 rad/s); a step is 0.1 s.
    Reward of each: metres come nearer to its goal, 1 at a goal, which is then replaced by another one, -1 a collision,
    -0.01 a step. The episode of all is truncated after ``max_steps``. ``infos`` have ``cost`` (collisions) and ``goals``.

    Args:
        rovers: How many, 1 to 16.
        max_steps: Steps of an episode.
        render_mode: ``"rgb_array"``: :meth:`render` gives a picture; ``"human"``: Rerun shows each tick.
        display: Where ``"human"`` is shown: ``"window"``, ``"save=FILE"`` or ``"connect=URL"``.
        randomise: The scene's key of this name.
    """

    metadata: dict[str, Any] = {
        "name": "becomingone_fleet_v0",
        "render_modes": ["human", "rgb_array"],
        "is_parallelizable": True,
        "render_fps": 10,
    }

    def __init__(
        self,
        rovers: int = 4,
        *,
        max_steps: int = 300,
        render_mode: str | None = None,
        display: str = "window",
        randomise: Mapping[str, Value] | None = None,
    ) -> None:
        if not 1 <= rovers <= 16:
            raise ValueError(f"found {rovers} rovers; expected 1 to 16")
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise ValueError(
                f"found render_mode = {render_mode!r}; expected one of {self.metadata['render_modes']}"
            )
        self.possible_agents: list[str] = [f"rover_{k}" for k in range(rovers)]
        self.agents: list[str] = []
        self.max_steps = max_steps
        self.render_mode = render_mode
        self._seen = {name: box(*_bounds()) for name in self.possible_agents}
        self._acts = {name: box([1, 1]) for name in self.possible_agents}
        scene = _scene(self.possible_agents)
        if randomise is not None:
            scene["randomise"] = randomise
        kinds = ("pose", "velocity", "travel")
        self._worlds = Worlds(
            Scene(scene),
            1,
            observe=[f"{name}/{kind}" for name in self.possible_agents for kind in kinds],
            ticks=10,
            display=display if render_mode == "human" else None,
        )
        self._rng, _ = seeding.np_random()
        self._goals: Numbers = np.zeros((rovers, 2))
        self._distance: Numbers = np.zeros(rovers)
        self._collisions: Numbers = np.zeros(rovers)
        self._reached: NDArray[np.int64] = np.zeros(rovers, dtype=np.int64)
        self._closed = False

    def observation_space(self, agent: str) -> gymnasium.spaces.Box:
        """Space of the observations of a rover."""
        return self._seen[agent]

    def action_space(self, agent: str) -> gymnasium.spaces.Box:
        """Space of the actions of a rover."""
        return self._acts[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, dict[str, Any]]]:
        """Begins an episode. From here, with a seed, it has the bits of a new environment with that seed."""
        if seed is not None:
            self._rng, _ = seeding.np_random(seed)
        self.agents = list(self.possible_agents)
        self._worlds.begin(np.ones(1, dtype=np.bool_), [world_seed(self._rng)], 0)
        self._goals[:] = np.inf
        for k in range(len(self.agents)):
            self._draw(k)
        self._reached[:] = 0
        self._collisions = self._total()
        self._distance = self._apart()
        cost = np.zeros(len(self.agents))
        return self._observations(), self._infos(cost)

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[
        dict[str, Observation],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """Does a step of all rovers: observations, rewards, terminated, truncated, infos, by their names.

        Args:
            actions: Of each rover by its name, shape ``(2,)``.

        Raises:
            ResetNeeded: The episode has ended, or none has begun.
            ValueError: An action is missing, has another shape, or is not finite.
            TypeError: An action is made of something else than numbers.
        """
        if not self.agents:
            raise gymnasium.error.ResetNeeded("found a step without an episode; expected reset() before it")
        if set(actions) != set(self.agents):
            raise ValueError(f"found actions of {sorted(actions)}; expected those of {self.agents}")
        rows = {name: _action(name, actions[name]) for name in self.agents}
        for name, (linear, angular) in rows.items():
            self._worlds.command(name, [{"Twist": {"linear_m_s": linear, "angular_rad_s": angular}}])
        self._worlds.advance(None, np.ones(1, dtype=np.bool_))
        total, distance = self._total(), self._apart()
        cost = total - self._collisions
        reached = distance < 0.3
        reward = self._distance - distance - 0.01 + reached - cost
        for k in np.flatnonzero(reached):
            self._draw(int(k))
        self._reached += reached
        self._collisions, self._distance = total, self._apart()
        names = self.agents
        ended = bool(self._worlds.steps[0] >= self.max_steps)
        out = (
            self._observations(),
            {name: float(reward[k]) for k, name in enumerate(names)},
            dict.fromkeys(names, False),
            dict.fromkeys(names, ended),
            self._infos(cost),
        )
        if ended:
            self.agents = []
        return out

    def render(self) -> Any:
        """A picture, shape ``(height, width, 3)``, uint8; ``None`` where Rerun shows it."""
        return self._worlds.picture(0) if self.render_mode == "rgb_array" else None

    def state(self) -> Observation:
        """Observations of all rovers, one after the other, shape ``(11 * rovers,)``."""
        return np.concatenate(list(self._observations().values()))

    def close(self) -> None:
        """Ends its world. A second call does nothing."""
        if not self._closed:
            self._closed = True
            self._worlds.close()
        self.agents = []

    def __reduce__(self) -> Any:
        raise TypeError(
            "found an environment to pickle or copy, which holds a running engine; "
            "expected the call that makes it: parallel_env(..), where it is used"
        )

    def _poses(self, kind: str) -> Numbers:
        return np.concatenate([self._worlds[f"{name}/{kind}"] for name in self.possible_agents])

    def _total(self) -> Numbers:
        """Collisions of each since the reset."""
        return self._poses("travel")[:, 2].copy()

    def _apart(self) -> Numbers:
        """Distance of each from its goal (m)."""
        return to_goal(self._poses("pose"), self._goals)[0]

    def _draw(self, rover: int) -> None:
        """Draws a goal that is at least 1 m away from the rover and from the goals of the others."""
        others = np.delete(self._goals, rover, axis=0)
        here = self._poses("pose")[rover : rover + 1, :2]
        while True:
            goal = self._rng.uniform(-_SIDE_M, _SIDE_M, 2)
            if np.linalg.norm(np.concatenate([others, here]) - goal, axis=1).min() > 1.0:
                break
        self._goals[rover] = goal

    def _observations(self) -> dict[str, Observation]:
        pose = self._poses("pose")
        distance, bearing = to_goal(pose, self._goals)
        moves = np.concatenate([motion(self._worlds, name) for name in self.possible_agents])
        heading = yaw(pose)
        out: dict[str, Observation] = {}
        for k, name in enumerate(self.possible_agents):
            apart = np.delete(pose[:, :2], k, axis=0) - pose[k, :2]
            c, s = np.cos(heading[k]), np.sin(heading[k])
            own = np.stack([c * apart[:, 0] + s * apart[:, 1], c * apart[:, 1] - s * apart[:, 0]], axis=1)
            nearest = np.full((3, 2), _FAR_M)
            found = own[np.argsort(np.linalg.norm(own, axis=1), kind="stable")[:3]]
            nearest[: len(found)] = found
            goal = [distance[k], np.cos(bearing[k]), np.sin(bearing[k])]
            seen = np.concatenate([goal, moves[k], nearest.ravel()]).astype(np.float32)
            space = self._seen[name]
            out[name] = np.clip(seen, space.low, space.high)
        return out

    def _infos(self, cost: Numbers) -> dict[str, dict[str, Any]]:
        return {
            name: {"cost": float(cost[k]), "goals": int(self._reached[k])}
            for k, name in enumerate(self.possible_agents)
        }


def parallel_env(rovers: int = 4, **options: Any) -> Fleet:
    """Makes a :class:`Fleet`."""
    return Fleet(rovers, **options)


def _bounds() -> tuple[list[float], list[float]]:
    high = [30.0, 1.0, 1.0, 3.0, 6.0] + 6 * [_FAR_M]
    return [0.0, *(-number for number in high[1:])], high


def _scene(names: list[str]) -> dict[str, Value]:
    """Rovers on a grid, 1.5 m apart, on a plane."""
    side = int(np.ceil(np.sqrt(len(names))))
    agents: list[Value] = [
        {
            "name": name,
            "model": "built-in/assets/rover.urdf",
            "position_m": [1.5 * (k % side - (side - 1) / 2), 1.5 * (k // side - (side - 1) / 2), 0],
            "drive": "Auto",
            "coherence": "Off",
        }
        for k, name in enumerate(names)
    ]
    return {"version": 1, "name": "fleet", "tick_ns": 10_000_000, "agents": agents}


def _action(name: str, action: Any) -> tuple[float, float]:
    """Speed (m/s) and yaw rate (rad/s) of an action."""
    row = np.asarray(action)
    if row.dtype.kind not in "fiu":
        raise TypeError(f"found an action of {row.dtype} for {name}; expected 2 numbers")
    if row.shape != (2,) or not np.isfinite(row).all():
        raise ValueError(f"found the action {row.tolist()} of shape {row.shape} for {name}; expected 2 finite numbers")
    clipped = np.clip(row.astype(np.float64), -1.0, 1.0)
    return float(clipped[0]), 1.5 * float(clipped[1])
