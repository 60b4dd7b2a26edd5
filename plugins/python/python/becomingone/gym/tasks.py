"""The built-in tasks.

Their attributes are options of ``gymnasium.make`` and ``make_vec``: ``max_steps=100``, ``overrides={..}``. Starts, masses,
friction and noise differ from episode to episode, as ``randomise`` of each has it; ``randomise=None`` leaves that out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from ..scene import Value
from .task import Numbers, Rngs, Task, box
from .worlds import Worlds

_TWIST = np.array([1.0, 1.5])
"""Speed (m/s) and yaw rate (rad/s) of a rover's action of 1."""

_RAY_M = 4.0
"""Range of a rover's lidar (m): the distance where it sees nothing."""


def _rover(sensors: Sequence[Value] = (), **more: Value) -> dict[str, Value]:
    return {
        "name": "rover",
        "model": "built-in/assets/rover.urdf",
        "drive": "Auto",
        "coherence": "Off",
        "sensors": list(sensors),
        **more,
    }


def _lidar(rays: int) -> dict[str, Value]:
    kind: Value = {"Lidar": {"rays": rays, "range_min_m": 0.1, "range_max_m": _RAY_M, "noise": {"white_sd": 0.01}}}
    return {"name": "lidar", "kind": kind, "rate_hz": 10, "position_m": [0.06, 0, 0.26]}


def yaw(pose: Numbers) -> Numbers:
    """Yaw (rad) of poses, shape ``(n, 7)``."""
    x, y, z, w = pose[:, 3:7].T
    out: Numbers = np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    return out


def to_body(rotation: Numbers, vectors: Numbers) -> Numbers:
    """Vectors of the world, shape ``(n, 3)``, in the axes of bodies with these quaternions x, y, z, w, shape ``(n, 4)``."""
    axis, w = -rotation[:, :3], rotation[:, 3:]
    twice = 2 * np.cross(axis, vectors)
    out: Numbers = vectors + w * twice + np.cross(axis, twice)
    return out


def to_goal(pose: Numbers, goals: Numbers) -> tuple[Numbers, Numbers]:
    """Distance (m) of goals, shape ``(n, 2)``, and their bearing from bodies (rad), left positive."""
    apart = goals - pose[:, :2]
    bearing = np.arctan2(apart[:, 1], apart[:, 0]) - yaw(pose)
    return np.linalg.norm(apart, axis=1), bearing


def rays(readings: Numbers) -> Numbers:
    """Distances (m) of a lidar, those without a target at its range."""
    return np.where(np.isnan(readings), _RAY_M, readings)


def motion(worlds: Worlds, agent: str) -> Numbers:
    """Forward speed (m/s) and yaw rate (rad/s) of an agent, shape ``(n, 2)``."""
    pose, velocity = worlds[f"{agent}/pose"], worlds[f"{agent}/velocity"]
    heading = yaw(pose)
    forward = velocity[:, 0] * np.cos(heading) + velocity[:, 1] * np.sin(heading)
    return np.stack([forward, velocity[:, 5]], axis=1)


class RoverReach(Task):
    """A rover, turned anyhow, drives to a goal that is 1 to 3 m away, on a plane.

    Observation: distance of the goal (m), cosine and sine of its bearing, speed (m/s), yaw rate (rad/s).
    Action, -1 to 1: speed (of 1 m/s), yaw rate (of 1.5 rad/s); a step is 0.1 s.
    Reward: metres come nearer, 1 at the goal, -0.01 a step. It ends within 0.25 m of the goal, or after 10 s.
    """

    scene = {"version": 1, "name": "rover_reach", "tick_ns": 10_000_000, "agents": [_rover()]}
    agent = "rover"
    max_steps = 100
    randomise: Mapping[str, Value] | None = {"yaw_rad": 3.14159}
    observe: Sequence[str] = ("rover/pose", "rover/velocity")
    view = {"agent": "rover", "distance_m": 8}
    observation_space = box([0, -1, -1, -3, -6], [20, 1, 1, 3, 6])
    action_space = box([1, 1])
    near_m = 0.25
    """Distance of the goal at which it is reached (m)."""
    goal_m = (1.0, 3.0)
    """Least and largest distance of goals from the start (m)."""

    def start(self, worlds: Worlds) -> None:
        self.goals = np.zeros((len(worlds), 2))
        self.distance = np.zeros(len(worlds))

    def reset(self, worlds: Worlds, mask: NDArray[np.bool_], rngs: Rngs) -> None:
        for world, rng in rngs.items():
            far, angle = rng.uniform(*self.goal_m), rng.uniform(-np.pi, np.pi)
            self.goals[world] = far * np.cos(angle), far * np.sin(angle)
        self.distance = to_goal(worlds["rover/pose"], self.goals)[0]

    def act(self, worlds: Worlds, actions: NDArray[Any]) -> Numbers:
        rows: Numbers = actions * _TWIST
        return rows

    def reward(self, worlds: Worlds) -> Numbers:
        before, self.distance = self.distance, to_goal(worlds["rover/pose"], self.goals)[0]
        return before - self.distance - 0.01 + self._reached()

    def terminated(self, worlds: Worlds) -> NDArray[np.bool_]:
        return self._reached()

    def info(self, worlds: Worlds) -> dict[str, NDArray[Any]]:
        """``cost``; ``success``: the goal is reached."""
        return {**super().info(worlds), "success": self._reached()}

    def observation(self, worlds: Worlds) -> Numbers:
        distance, bearing = to_goal(worlds["rover/pose"], self.goals)
        seen = [distance[:, None], np.cos(bearing)[:, None], np.sin(bearing)[:, None]]
        return np.concatenate([*seen, motion(worlds, "rover")], axis=1)

    def _reached(self) -> NDArray[np.bool_]:
        return self.distance < self.near_m


_PILLARS_M = [
    (radius * float(np.cos(angle)), radius * float(np.sin(angle)))
    for radius, count, first in ((1.6, 6, np.pi / 6), (2.9, 8, 0.0))
    for angle in first + 2 * np.pi / count * np.arange(count)
]
"""Middles of the pillars of :class:`RoverReachLidar` (m): two rings."""


def _pillar(name: str, x: float, y: float) -> dict[str, Value]:
    return {"Box": {"name": name, "position_m": [x, y, 0], "size_m": [0.5, 0.5, 1.0]}}


class RoverReachLidar(RoverReach):
    """As :class:`RoverReach`, among pillars, with a lidar: goals are 2.1 to 4.5 m away, and a collision ends it.

    Observation: as there, then 24 distances (m) along rays around the rover, 4 m where there is nothing.
    Reward: as there, and -2 at a collision. It ends after 25 s at the latest.
    """

    scene = {
        "version": 1,
        "name": "rover_reach_lidar",
        "tick_ns": 10_000_000,
        "world": {"obstacles": [_pillar(f"pillar_{k}", *at) for k, at in enumerate(_PILLARS_M)]},
        "agents": [_rover([_lidar(24)])],
    }
    settle = 1
    max_steps = 250
    randomise: Mapping[str, Value] | None = {"position_m": 0.2, "yaw_rad": 3.14159}
    observe = ("rover/pose", "rover/velocity", "rover/lidar")
    observation_space = box([0, -1, -1, -3, -6] + 24 * [0], [20, 1, 1, 3, 6] + 24 * [_RAY_M])
    clear_m = 0.75
    """Least distance of goals from the middle of a pillar (m)."""

    def reset(self, worlds: Worlds, mask: NDArray[np.bool_], rngs: Rngs) -> None:
        pillars = np.array(_PILLARS_M)
        for world, rng in rngs.items():
            while True:
                far, angle = rng.uniform(2.1, 4.5), rng.uniform(-np.pi, np.pi)
                goal = np.array([far * np.cos(angle), far * np.sin(angle)])
                if np.linalg.norm(pillars - goal, axis=1).min() > self.clear_m:
                    break
            self.goals[world] = goal
        self.distance = to_goal(worlds["rover/pose"], self.goals)[0]

    def reward(self, worlds: Worlds) -> Numbers:
        return super().reward(worlds) - 2.0 * (worlds.collisions > 0)

    def terminated(self, worlds: Worlds) -> NDArray[np.bool_]:
        return self._reached() | (worlds.collisions > 0)

    def observation(self, worlds: Worlds) -> Numbers:
        return np.concatenate([super().observation(worlds), rays(worlds["rover/lidar"])], axis=1)


class RoverPatrol(Task):
    """A rover patrols the warehouse of the scene ``robot``: its goals in their order, about 100 m.

    Observation: distance (m), cosine and sine of the bearing of the goal, then of the one after it; speed (m/s), yaw rate
    (rad/s); 24 distances (m) along rays around the rover, 4 m where there is nothing.
    Action, -1 to 1: speed (of 1 m/s), yaw rate (of 1.5 rad/s); a step is 0.1 s.
    Reward: metres come nearer to the goal, 1 at each one, -1 a collision, -0.01 a step. It ends at the last goal, or after
    200 s.
    """

    scene = "robot"
    overrides: Mapping[str, Value] = {
        "tick_ns": 10_000_000,
        "agents.rover.sensors": [_lidar(24)],
        "agents.rover.coherence": "Off",
        "agents.rover.controller": None,
    }
    agent = "rover"
    settle = 1
    max_steps = 2000
    randomise: Mapping[str, Value] | None = {"position_m": 0.5, "yaw_rad": 3.14159}
    observe = ("rover/pose", "rover/velocity", "rover/lidar")
    view = {"agent": "rover", "distance_m": 12}
    observation_space = box(
        2 * [0, -1, -1] + [-3, -6] + 24 * [0], 2 * [40, 1, 1] + [3, 6] + 24 * [_RAY_M]
    )
    action_space = box([1, 1])
    near_m = 0.5
    """Distance of a goal at which it is reached (m)."""
    goals_m: Sequence[tuple[float, float]] = (
        (-9.5, -7.5), (-9.5, -2.5), (9.5, -2.5), (9.5, 2.5), (-9.5, 2.5), (-9.5, 7.5), (0, 7.5), (0, -7.5), (-10, -7.5),
    )  # fmt: skip
    """Goals (m), in their order: those of the scene."""

    def start(self, worlds: Worlds) -> None:
        self.goals = np.array(self.goals_m, dtype=np.float64)
        self.next = np.zeros(len(worlds), dtype=np.int64)
        self.distance = np.zeros(len(worlds))

    def reset(self, worlds: Worlds, mask: NDArray[np.bool_], rngs: Rngs) -> None:
        self.next[mask] = 0
        self.distance = self._to(worlds, 0)[0]

    def act(self, worlds: Worlds, actions: NDArray[Any]) -> Numbers:
        rows: Numbers = actions * _TWIST
        return rows

    def reward(self, worlds: Worlds) -> Numbers:
        distance, _ = self._to(worlds, 0)
        reached = distance < self.near_m
        reward = self.distance - distance - 0.01 + reached - worlds.collisions
        self.next += reached
        self.distance = self._to(worlds, 0)[0]
        return reward

    def terminated(self, worlds: Worlds) -> NDArray[np.bool_]:
        return self.next >= len(self.goals)

    def info(self, worlds: Worlds) -> dict[str, NDArray[Any]]:
        """``cost``; ``goals``: how many are reached; ``success``: all are."""
        return {**super().info(worlds), "goals": self.next, "success": self.next >= len(self.goals)}

    def observation(self, worlds: Worlds) -> Numbers:
        seen: list[Numbers] = []
        for ahead in (0, 1):
            distance, bearing = self._to(worlds, ahead)
            seen += [distance[:, None], np.cos(bearing)[:, None], np.sin(bearing)[:, None]]
        return np.concatenate([*seen, motion(worlds, "rover"), rays(worlds["rover/lidar"])], axis=1)

    def _to(self, worlds: Worlds, ahead: int) -> tuple[Numbers, Numbers]:
        """Distance and bearing of the goal, or of one after it."""
        at = np.minimum(self.next + ahead, len(self.goals) - 1)
        return to_goal(worlds["rover/pose"], self.goals[at])


class CarLap(Task):
    """A car drives a lap of the track of the scene ``vehicle_track``, 504 m.

    Observation: distance of the rear axle from the centre line (m, left positive), cosine and sine of the heading against
    it, speed (m/s), yaw rate (rad/s), and the line's curvature (1/m, left positive) 0, 5, 10, 20, 30 and 45 m ahead.
    Action, -1 to 1: speed (0 to 20 m/s), angle of the steering (of 0.5 rad, left positive); a step is 0.1 s.
    Reward: a tenth of the metres along the track, 10 for the lap, -5 off the track. It ends with the lap, with a wheel off
    the track, or after 120 s.
    """

    scene = "vehicle_track"
    overrides: Mapping[str, Value] = {
        "tick_ns": 10_000_000,
        "agents.car.sensors": [],
        "agents.car.filter": None,
        "agents.car.coherence": "Off",
        "agents.car.controller.localisation": "Truth",
    }
    agent = "car"
    action = "ackermann"
    max_steps = 1200
    randomise: Mapping[str, Value] | None = {"position_m": 0.5, "yaw_rad": 0.1}
    observe = ("car/pose", "car/velocity", "car/laps")
    view = {"agent": "car", "distance_m": 25}
    observation_space = box([-10, -1, -1, -5, -4] + 6 * [-0.2], [10, 1, 1, 40, 4] + 6 * [0.2])
    action_space = box([1, 1])
    ahead_m = (0.0, 5.0, 10.0, 20.0, 30.0, 45.0)
    """Where the curvature is seen (m)."""

    def start(self, worlds: Worlds) -> None:
        self.line = CentreLine(self._points(worlds))
        self.progress = np.zeros(len(worlds))

    def reset(self, worlds: Worlds, mask: NDArray[np.bool_], rngs: Rngs) -> None:
        self.progress[mask] = worlds["car/laps"][mask, 1]

    def act(self, worlds: Worlds, actions: NDArray[Any]) -> Numbers:
        return np.stack([10.0 * (actions[:, 0] + 1.0), 0.5 * actions[:, 1]], axis=1)

    def reward(self, worlds: Worlds) -> Numbers:
        laps = worlds["car/laps"]
        ends = 10.0 * (laps[:, 0] > 0) - 5.0 * (laps[:, 3] > 0)
        reward: Numbers = 0.1 * (laps[:, 1] - self.progress) + ends
        self.progress = laps[:, 1].copy()
        return reward

    def terminated(self, worlds: Worlds) -> NDArray[np.bool_]:
        laps = worlds["car/laps"]
        ended: NDArray[np.bool_] = (laps[:, 0] > 0) | (laps[:, 3] > 0)
        return ended

    def info(self, worlds: Worlds) -> dict[str, NDArray[Any]]:
        """``cost``; ``progress_m`` along the track; ``success``: the lap is done."""
        laps = worlds["car/laps"]
        return {**super().info(worlds), "progress_m": laps[:, 1], "success": laps[:, 0] > 0}

    def observation(self, worlds: Worlds) -> Numbers:
        pose, s = worlds["car/pose"], worlds["car/laps"][:, 1]
        at, tangent, _ = self.line.at(s)
        left = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
        offset = np.sum((pose[:, :2] - at) * left, axis=1)
        heading = yaw(pose) - np.arctan2(tangent[:, 1], tangent[:, 0])
        seen = [offset, np.cos(heading), np.sin(heading), *motion(worlds, "car").T]
        bends = [self.line.at(s + ahead)[2] for ahead in self.ahead_m]
        return np.stack(seen + bends, axis=1)

    def _points(self, worlds: Worlds) -> Numbers:
        """Points of the scene's centre line (m)."""
        text = self.make_scene().resolved()
        found = re.search(r"centre_line_m: \[(.*?)\]", text, re.DOTALL)
        if found is None:
            raise ValueError("found a scene without a track; expected `world.track` with a centre line")
        pairs = re.findall(r"\(\s*([-\d.e]+),\s*([-\d.e]+),?\s*\)", found[1])
        return np.array(pairs, dtype=np.float64)


class CentreLine:
    """A closed cubic spline through points, over the length of the polygon, by its own length: the engine's centre line.

    Args:
        points: Shape ``(k, 2)`` (m), ``k`` at least 3.
    """

    def __init__(self, points: Numbers) -> None:
        count = len(points)
        h = np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1)
        before = np.roll(h, 1)
        # The periodic equations for the second derivatives.
        matrix: Numbers = np.diag(2 * (before + h))
        for k in range(count):
            matrix[k, (k + 1) % count] += h[k]
            matrix[k, (k - 1) % count] += before[k]
        rise: Numbers = (np.roll(points, -1, axis=0) - points) / h[:, None]
        turns: Numbers = 6 * (rise - np.roll(rise, 1, axis=0))
        bends: Numbers = np.asarray(np.linalg.solve(matrix, turns), dtype=np.float64)
        # Even parameters of each stretch.
        b = np.tile(np.arange(64) / 64, count)[:, None]
        i = np.repeat(np.arange(count), 64)
        j, a, step = (i + 1) % count, 1 - b, h[i][:, None]
        p, q, m, n = points[i], points[j], bends[i], bends[j]
        at = a * p + b * q + ((a**3 - a) * m + (b**3 - b) * n) * step**2 / 6
        first = (q - p) / step + ((3 * b**2 - 1) * n - (3 * a**2 - 1) * m) * step / 6
        second = a * m + b * n
        speed = np.linalg.norm(first, axis=1)
        curvature = (first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]) / speed**3
        lengths = np.linalg.norm(np.roll(at, -1, axis=0) - at, axis=1)
        self.length_m = float(lengths.sum())
        """Length of the line (m)."""
        self._s = np.concatenate([[0.0], np.cumsum(lengths)])
        columns: Numbers = np.concatenate([at, first / speed[:, None], curvature[:, None]], axis=1)
        self._columns: Numbers = np.concatenate([columns, columns[:1]])

    def at(self, s: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """Place (m), direction and curvature (1/m) at these lengths (m), shapes ``(n, 2)``, ``(n, 2)``, ``(n,)``."""
        here = np.mod(s, self.length_m)
        columns: list[Numbers] = [np.interp(here, self._s, column) for column in self._columns.T]
        found: Numbers = np.stack(columns, axis=1)
        return found[:, :2], found[:, 2:4], found[:, 4]


class ArmReach(Task):
    """An arm brings its tool, the link ``tool``, to a point.

    Observation: positions (rad) and speeds (rad/s) of its six joints, place of the tool and of the goal (m), and the way
    from the one to the other (m).
    Action, -1 to 1: change of the six joints' targets, of 0.1 rad; a step is 0.05 s.
    Reward: metres come nearer, 1 at the goal, -0.01 a step. It ends within 0.05 m of the goal, or after 7.5 s.
    """

    scene = "arm_wave"
    overrides: Mapping[str, Value] = {
        "tick_ns": 2_000_000,
        "agents.arm.sensors": [],
        "agents.arm.coherence": "Off",
        "agents.arm.controller": None,
    }
    agent = "arm"
    action = "joints"
    ticks = 25
    max_steps = 150
    observe = ("arm/joints", "arm/links/tool")
    view = {"distance_m": 3}
    observation_space = box(6 * [7.0] + 6 * [10.0] + 9 * [2.0])
    action_space = box(6 * [1])
    near_m = 0.05
    """Distance of the goal at which it is reached (m)."""
    limits_rad = (3.1, 2.2, 2.7, 2.2, 3.1, 2.2)
    """Largest target of each joint (rad)."""

    def start(self, worlds: Worlds) -> None:
        self.goals = np.zeros((len(worlds), 3))
        self.targets = np.zeros((len(worlds), 7))
        self.limits = np.array(self.limits_rad)
        self.distance = np.zeros(len(worlds))

    def reset(self, worlds: Worlds, mask: NDArray[np.bool_], rngs: Rngs) -> None:
        for world, rng in rngs.items():
            far, up = rng.uniform(0.4, 0.75), rng.uniform(0.1, 1.2)
            angle = rng.uniform(-np.pi, np.pi)
            out = far * np.cos(up)
            self.goals[world] = out * np.cos(angle), out * np.sin(angle), 0.16 + far * np.sin(up)
        self.targets[mask] = 0.0
        self.targets[mask, :6] = worlds["arm/joints"][mask, :6]
        self.distance = self._distance(worlds)

    def act(self, worlds: Worlds, actions: NDArray[Any]) -> Numbers:
        targets = self.targets[:, :6] + 0.1 * actions
        self.targets[:, :6] = np.clip(targets, -self.limits, self.limits)
        return self.targets

    def reward(self, worlds: Worlds) -> Numbers:
        before, self.distance = self.distance, self._distance(worlds)
        reward: Numbers = before - self.distance - 0.01 + (self.distance < self.near_m)
        return reward

    def terminated(self, worlds: Worlds) -> NDArray[np.bool_]:
        return self.distance < self.near_m

    def info(self, worlds: Worlds) -> dict[str, NDArray[Any]]:
        """``cost``; ``success``: the goal is reached."""
        return {**super().info(worlds), "success": self.distance < self.near_m}

    def observation(self, worlds: Worlds) -> Numbers:
        joints, tool = worlds["arm/joints"], worlds["arm/links/tool"][:, :3]
        half = joints.shape[1] // 2
        seen = [joints[:, :6], joints[:, half : half + 6], tool, self.goals, self.goals - tool]
        return np.concatenate(seen, axis=1)

    def _distance(self, worlds: Worlds) -> Numbers:
        apart: Numbers = worlds["arm/links/tool"][:, :3] - self.goals
        distance: Numbers = np.linalg.norm(apart, axis=1)
        return distance


class QuadrupedStand(Task):
    """A quadruped stands up and holds its body at a height of 0.26 to 0.36 m.

    Observation: height of the body and the wanted one (m); direction upwards, velocity (m/s) and angular velocity (rad/s)
    in the body's axes; positions (rad) and speeds (rad/s) of its twelve joints: hip, thigh and knee of each leg.
    Action, -1 to 1: targets of the joints, of 0.5 rad about flexed legs; they move by at most 2 rad/s, knees 4 rad/s. A step
    is 0.02 s.
    Reward: up to 1 a step, for height and an upright body, less a hundredth of the squared actions. It ends with a fall, or
    after 5 s.
    """

    scene = "quadruped_stand"
    overrides: Mapping[str, Value] = {
        "tick_ns": 2_000_000,
        "agents.quadruped.sensors": [],
        "agents.quadruped.coherence": "Off",
        "agents.quadruped.controller": None,
    }
    agent = "quadruped"
    action = "joints"
    ticks = 10
    max_steps = 250
    randomise: Mapping[str, Value] | None = {"mass": [0.9, 1.1], "friction": [0.8, 1.2]}
    observe = ("quadruped/pose", "quadruped/velocity", "quadruped/joints")
    view = {"agent": "quadruped", "distance_m": 2}
    observation_space = box(
        [0, 0] + 3 * [-1] + 3 * [-5] + 3 * [-20] + 12 * [-4] + 12 * [-50],
        [2, 1] + 3 * [1] + 3 * [5] + 3 * [20] + 12 * [4] + 12 * [50],
    )
    action_space = box(12 * [1])
    flexed_rad = (0.0, 0.75, -1.5)
    """Hip, thigh and knee of a flexed leg (rad)."""
    rate_rad = (0.04, 0.04, 0.08)
    """Largest change of the targets of hip, thigh and knee in a step (rad): a leg that bends keeps its foot in place."""

    def start(self, worlds: Worlds) -> None:
        self.flexed = np.tile(np.array(self.flexed_rad), 4)
        self.rate = np.tile(np.array(self.rate_rad), 4)
        self.targets = np.zeros((len(worlds), 12))
        self.actions = np.zeros((len(worlds), 12))
        self.wanted = np.zeros(len(worlds))

    def reset(self, worlds: Worlds, mask: NDArray[np.bool_], rngs: Rngs) -> None:
        for world, rng in rngs.items():
            self.wanted[world] = rng.uniform(0.26, 0.36)
        self.targets[mask] = worlds["quadruped/joints"][mask, :12]
        self.actions[mask] = 0.0

    def act(self, worlds: Worlds, actions: NDArray[Any]) -> Numbers:
        self.actions = actions
        self.targets += np.clip(self.flexed + 0.5 * actions - self.targets, -self.rate, self.rate)
        return self.targets

    def reward(self, worlds: Worlds) -> Numbers:
        height = worlds["quadruped/pose"][:, 2]
        near = np.exp(-(((height - self.wanted) / 0.05) ** 2))
        upright = np.maximum(self._up(worlds)[:, 2], 0.0)
        reward: Numbers = near * upright - 0.01 * np.mean(self.actions**2, axis=1)
        return reward

    def terminated(self, worlds: Worlds) -> NDArray[np.bool_]:
        fallen: NDArray[np.bool_] = (worlds["quadruped/pose"][:, 2] < 0.15) | (self._up(worlds)[:, 2] < 0.5)
        return fallen

    def info(self, worlds: Worlds) -> dict[str, NDArray[Any]]:
        """``cost``; ``height_m``: that of the body."""
        return {**super().info(worlds), "height_m": worlds["quadruped/pose"][:, 2]}

    def observation(self, worlds: Worlds) -> Numbers:
        pose, velocity = worlds["quadruped/pose"], worlds["quadruped/velocity"]
        seen = [pose[:, 2:3], self.wanted[:, None], self._up(worlds)]
        seen += [to_body(pose[:, 3:], velocity[:, :3]), to_body(pose[:, 3:], velocity[:, 3:])]
        return np.concatenate([*seen, worlds["quadruped/joints"]], axis=1)

    def _up(self, worlds: Worlds) -> Numbers:
        """The direction upwards in the body's axes."""
        rotation = worlds["quadruped/pose"][:, 3:]
        return to_body(rotation, np.tile([0.0, 0.0, 1.0], (len(worlds), 1)))


class FaultDetect(Task):
    """A rover patrols the warehouse by its own controller, and one sensor fails: the learner names it.

    The fault begins after a quarter to three quarters of the episode, and stays.

    Observation: speed (m/s) and yaw rate (rad/s) by the wheels' encoders, angular velocity (rad/s) and acceleration (m/s²)
    by the IMU, 12 distances (m) of the lidar, 4 m where there is nothing; then how much each has changed in this step.
    Action: 0: none is faulty; 1, 2, 3: the IMU, the encoders, the lidar is. A step is 0.1 s.
    Reward: before the fault, -0.1 for an alarm; from then on, 1 for the faulty sensor, -0.5 for another one, -1 for none.
    So each step of delay costs 2, and silence is the worst. It ends after 20 s.
    """

    scene = "robot"
    overrides: Mapping[str, Value] = {
        "tick_ns": 10_000_000,
        "agents.rover.sensors": [
            {
                "name": "imu",
                "kind": {"Imu": {"gyro": {"white_sd": 0.0077}, "accelerometer": {"white_sd": 0.054}}},
                "rate_hz": 100,
                "position_m": [0, 0, 0.12],
            },
            {"name": "encoders", "kind": {"Encoders": {"noise": {"white_sd": 1e-4}}}, "rate_hz": 100},
            _lidar(12),
        ],
        "agents.rover.coherence": "Off",
    }
    agent = "rover"
    settle = 10
    randomise: Mapping[str, Value] | None = {"position_m": 0.5, "yaw_rad": 0.5, "noise": [0.5, 2.0]}
    observe = ("rover/odometry", "rover/imu", "rover/lidar")
    view = {"agent": "rover", "distance_m": 12}
    observation_space = box(2 * ([4, 8] + 3 * [20] + 3 * [100] + 12 * [_RAY_M]))
    action_space = gymnasium.spaces.Discrete(4)
    sensors: tuple[str, ...] = ("imu", "encoders", "lidar")
    """Sensors, in the order of the actions from 1 on."""
    faults: tuple[tuple[tuple[str, str], ...], ...] = (
        (("imu", "Freeze"), ("imu/gyro_z", "Bias(0.4)"), ("imu/accelerometer_z", "Scale(1.4)")),
        (("encoders", "Freeze"), ("encoders/0", "Scale(1.3)"), ("encoders/1", "Scale(0.7)")),
        (("lidar", "Freeze"), ("lidar", "Block(0.5)"), ("lidar", "Scale(0.7)")),
    )
    """Faults of each sensor, of which one is drawn: target and kind, as in a scene."""

    def start(self, worlds: Worlds) -> None:
        n = len(worlds)
        self.onset, self.truth, self.which, self.said = np.zeros((4, n), dtype=np.int64)
        width = 20
        self.now, self.before = np.zeros((n, width)), np.zeros((n, width))

    def reset(self, worlds: Worlds, mask: NDArray[np.bool_], rngs: Rngs) -> None:
        for world, rng in rngs.items():
            self.onset[world] = rng.integers(self.max_steps // 4, 3 * self.max_steps // 4)
            self.truth[world] = 1 + rng.integers(len(self.sensors))
            self.which[world] = rng.integers(len(self.faults[int(self.truth[world]) - 1]))
        self.said[mask] = 0
        self.now = self._readings(worlds)
        self.before[mask] = self.now[mask]

    def act(self, worlds: Worlds, actions: NDArray[Any]) -> None:
        self.said = actions
        begins = worlds.steps == self.onset
        if begins.any():
            requests: list[Any] = [None] * len(worlds)
            for world in np.flatnonzero(begins).tolist():
                target, kind = self.faults[int(self.truth[world]) - 1][int(self.which[world])]
                requests[world] = {"Fault": {"target": target, "kind": kind, "for_s": None}}
            worlds.command("rover", requests)

    def reward(self, worlds: Worlds) -> Numbers:
        self.before, self.now = self.now, self._readings(worlds)
        faulty = self._faulty(worlds)
        healthy = np.where(self.said > 0, -0.1, 0.0)
        wrong = np.where(self.said > 0, -0.5, -1.0)
        return np.where(faulty == 0, healthy, np.where(self.said == faulty, 1.0, wrong))

    def info(self, worlds: Worlds) -> dict[str, NDArray[Any]]:
        """``cost``; ``fault``: the action that would have been right in this step; ``next_fault``: in the next one."""
        following = np.where(worlds.steps >= self.onset, self.truth, 0)
        return {**super().info(worlds), "fault": self._faulty(worlds), "next_fault": following}

    def observation(self, worlds: Worlds) -> Numbers:
        return np.concatenate([self.now, self.now - self.before], axis=1)

    def _faulty(self, worlds: Worlds) -> NDArray[np.int64]:
        """The sensor that has been faulty in the latest step; 0: none."""
        return np.where(worlds.steps > self.onset, self.truth, 0)

    def _readings(self, worlds: Worlds) -> Numbers:
        speeds = worlds["rover/odometry"][:, 3:5]
        return np.concatenate([speeds, worlds["rover/imu"], rays(worlds["rover/lidar"])], axis=1)
