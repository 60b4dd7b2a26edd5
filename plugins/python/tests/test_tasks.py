"""Tasks can be solved: short policies that are written by hand reach the goals, far above actions at random."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("gymnasium")

from becomingone.gym import Task, VectorEnv
from becomingone.gym.tasks import ArmReach, RoverPatrol

Array = NDArray[np.float64]
Policy = Callable[[Array], Array]


def episodes(task: type[Task], policy: Policy, n: int, **options: Any) -> tuple[Array, NDArray[np.bool_]]:
    """Return and success of the first episode in each of ``n`` worlds."""
    envs = VectorEnv(task, n, **options)
    seen, _ = envs.reset(seed=100)
    returns, over, success = np.zeros(n), np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    while not over.all():
        seen, reward, terminated, truncated, info = envs.step(policy(np.asarray(seen, dtype=np.float64)))
        returns += np.where(over, 0.0, reward)
        success |= ~over & info["success"]
        over |= terminated | truncated
    envs.close()
    return returns, success


def at_random(width: int) -> Policy:
    rng = np.random.default_rng(0)
    return lambda seen: rng.uniform(-1, 1, (len(seen), width))


# Joints of assets/arm.urdf from the base to the tool, whose mount is the base: origin (m), axis.
JOINTS = [
    ((0, 0, 0.1), 2),
    ((0, 0.13, 0.0625), 1),
    ((0, -0.115, 0.425), 1),
    ((0, 0.095, 0.392), 1),
    ((0, 0, 0.085), 2),
    ((0, 0, 0.04), 1),
]


def tool(angles: Array) -> tuple[Array, Array]:
    """Place of the tool (m), and its derivative by the angles: shapes ``(n, 3)``, ``(n, 3, 6)``."""
    n = len(angles)
    rotation, place = np.tile(np.eye(3), (n, 1, 1)), np.zeros((n, 3))
    axes, places = [], []
    for k, (origin, axis) in enumerate(JOINTS):
        place = place + rotation @ np.array(origin)
        axes.append(rotation[:, :, axis])
        places.append(place)
        sine, cosine = np.sin(angles[:, k]), np.cos(angles[:, k])
        turn = np.zeros((n, 3, 3))
        turn[:, axis, axis] = 1.0
        a, b = (axis + 1) % 3, (axis + 2) % 3
        turn[:, a, a] = turn[:, b, b] = cosine
        turn[:, a, b], turn[:, b, a] = -sine, sine
        rotation = rotation @ turn
    columns = [np.cross(one, place - at) for one, at in zip(axes, places, strict=True)]
    return place, np.stack(columns, axis=2)


def angles_at(goals: Array) -> Array:
    """Angles that bring the tool to each goal, by damped least squares from several starts: those nearest to the upright arm."""
    rng = np.random.default_rng(0)
    limits = np.array(ArmReach.limits_rad) - 0.05
    n, starts = len(goals), 40
    angles = rng.uniform(-0.9, 0.9, (n, starts, 6)) * limits
    angles[:, :, 0] = np.arctan2(goals[:, 1], goals[:, 0])[:, None] + rng.uniform(-0.5, 0.5, (n, starts))
    flat, wanted = angles.reshape(-1, 6), np.repeat(goals, starts, axis=0)
    for _ in range(150):
        place, derivative = tool(flat)
        square = derivative @ derivative.transpose(0, 2, 1) + 1e-3 * np.eye(3)
        change = np.einsum("nki,nk->ni", derivative, np.linalg.solve(square, (wanted - place)[:, :, None])[:, :, 0])
        flat = np.clip(flat + np.clip(change, -0.3, 0.3), -limits, limits)
    off = np.linalg.norm(tool(flat)[0] - wanted, axis=1).reshape(n, starts)
    cost = np.abs(flat).max(axis=1).reshape(n, starts) + 100.0 * (off > 0.01)
    best = np.argmin(cost, axis=1)
    assert (off[np.arange(n), best] < 0.01).all(), "each goal can be reached"
    found: Array = flat.reshape(n, starts, 6)[np.arange(n), best]
    return found


class Reach:
    """Moves all joints together to the angles of the goal."""

    def __init__(self) -> None:
        self.goals: Array = np.zeros((0, 3))
        self.wanted: Array = np.zeros((0, 6))

    def __call__(self, seen: Array) -> Array:
        angles, place, goals = seen[:, :6], seen[:, 12:15], seen[:, 15:18]
        assert np.abs(tool(angles)[0] - place).max() < 0.02, "the arm is that of the model, but for what its joints give"
        if not np.array_equal(goals, self.goals):
            self.goals, self.wanted = goals, angles_at(goals)
        way = self.wanted - angles
        return way / np.maximum(np.abs(way).max(axis=1, keepdims=True), 0.1)


def test_an_arm_brings_its_tool_to_the_goal() -> None:
    n = 24
    by_hand, reached = episodes(ArmReach, Reach(), n)
    random, lucky = episodes(ArmReach, at_random(6), n)
    print(f"ArmReach: by hand {by_hand.mean():.2f} ({reached.sum()} of {n}), at random {random.mean():.2f} ({lucky.sum()})")
    assert reached.sum() >= n - 1 and lucky.sum() <= n // 4
    assert by_hand.mean() > random.mean() + 10 * random.std() / np.sqrt(n)


def patrol(seen: Array) -> Array:
    """Drives to the goal, along the free ray that is nearest to its bearing."""
    distance, bearing = seen[:, 0], np.arctan2(seen[:, 2], seen[:, 1])
    rays = seen[:, 8:]
    angles = np.linspace(-np.pi, np.pi, rays.shape[1], endpoint=False)
    # As far as the rover has to see: its width on both sides of a ray, and no farther than the goal.
    ahead = np.minimum(distance, 1.5)[:, None]
    apart = np.abs(np.angle(np.exp(1j * (angles[:, None] - angles[None, :]))))
    beside = rays[:, None, :] * np.sin(np.minimum(apart, np.pi / 2))
    along = rays[:, None, :] * np.cos(apart)
    blocked = ((beside < 0.4) & (along > 0) & (along < ahead[:, :, None])).any(axis=2)
    off = np.abs(np.angle(np.exp(1j * (angles - bearing[:, None]))))
    best = np.argmin(off + 10.0 * blocked, axis=1)
    direct = ~np.take_along_axis(blocked, np.argmin(off, axis=1)[:, None], axis=1)[:, 0]
    heading = np.where(direct, bearing, angles[best])
    speed = np.clip(np.cos(heading), 0.0, 1.0) * np.where(np.abs(heading) < 0.8, 1.0, 0.0)
    return np.stack([speed, np.clip(1.5 * heading, -1, 1)], axis=1)


def test_a_rover_reaches_all_goals_of_its_patrol() -> None:
    n = 20
    by_hand, reached = episodes(RoverPatrol, patrol, n)
    # It goes nowhere: a quarter of the time shows it.
    random, lucky = episodes(RoverPatrol, at_random(2), n, max_steps=500)
    print(f"RoverPatrol: by hand {by_hand.mean():.1f} ({reached.sum()} of {n}), at random {random.mean():.1f} ({lucky.sum()})")
    assert reached.sum() >= n - 1 and lucky.sum() == 0
    assert by_hand.mean() > random.mean() + 10 * random.std() / np.sqrt(n)
