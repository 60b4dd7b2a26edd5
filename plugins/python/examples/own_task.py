"""A task of your own: a rover parks in a dock, backwards.

    python own_task.py

A subclass of Task says what the scene is, what the learner sees, does and is paid for; all arrays have a row for each
world. Then it has all that the built-in ones have: single and vector environments, seeds, pictures, checks.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from becomingone.gym import Numbers, Rngs, Task, Worlds, register


class Dock(Task):
    """Park on the x axis at a place that differs from episode to episode.

    Observation: x of that place (m), x, y (m), cosine and sine of yaw, distance to the wall behind (m).
    """

    scene = {
        "version": 1,
        "name": "dock",
        "tick_ns": 10_000_000,
        "world": {
            "obstacles": [
                {"Box": {"name": "wall", "position_m": [-0.6, 0, 0], "size_m": [0.2, 2, 1]}},
                {"Box": {"name": "left", "position_m": [0, 0.6, 0], "size_m": [1.0, 0.1, 0.5]}},
                {"Box": {"name": "right", "position_m": [0, -0.6, 0], "size_m": [1.0, 0.1, 0.5]}},
            ]
        },
        "agents": [
            {
                "name": "rover",
                "model": "built-in/assets/rover.urdf",
                "position_m": [2.0, 0.5, 0],
                "drive": "Auto",
                "coherence": "Off",
                "sensors": [
                    {
                        "name": "behind",
                        "kind": {"Range": {"range_max_m": 4.0}},
                        "rate_hz": 50,
                        "position_m": [-0.3, 0, 0.15],
                        "rotation": [0, 0, 1, 0],  # quaternion x, y, z, w: it looks back
                    }
                ],
            }
        ],
    }
    agent = "rover"
    action = "twist"  # rows of speed (m/s) and yaw rate (rad/s)
    ticks = 10  # a step is 0.1 s
    settle = 1  # so that the first observation has a reading
    max_steps = 200
    observe = ("rover/pose", "rover/behind")
    observation_space = gymnasium.spaces.Box(
        np.array([0, -5, -5, -1, -1, 0], np.float32), np.array([1, 5, 5, 1, 1, 4], np.float32), dtype=np.float32
    )
    action_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)

    def start(self, worlds: Worlds) -> None:
        self.place = np.zeros(len(worlds))
        self.far = np.zeros(len(worlds))

    def reset(self, worlds: Worlds, mask: NDArray[np.bool_], rngs: Rngs) -> None:
        for world, rng in rngs.items():
            self.place[world] = rng.uniform(0.0, 0.4)
        self.far[mask] = self.distance(worlds)[mask]

    def act(self, worlds: Worlds, actions: NDArray[Any]) -> Numbers:
        rows: Numbers = actions * [0.5, 1.0]
        return rows

    def observation(self, worlds: Worlds) -> Numbers:
        x, y, _, _, _, qz, qw = worlds["rover/pose"].T
        yaw = 2 * np.arctan2(qz, qw)
        behind = np.nan_to_num(worlds["rover/behind"][:, 0], nan=4.0)  # a range finder that sees nothing has no number
        return np.stack([self.place, x, y, np.cos(yaw), np.sin(yaw), behind], axis=1)

    def reward(self, worlds: Worlds) -> Numbers:
        before, self.far = self.far, self.distance(worlds)
        reward: Numbers = before - self.far + (self.far < 0.15) - worlds.collisions
        return reward

    def terminated(self, worlds: Worlds) -> NDArray[np.bool_]:
        return self.far < 0.15

    def info(self, worlds: Worlds) -> dict[str, NDArray[Any]]:
        return {**super().info(worlds), "success": self.far < 0.15}

    def distance(self, worlds: Worlds) -> Numbers:
        """From the place (m), a radian of yaw as half a metre."""
        x, y, _, _, _, qz, _ = worlds["rover/pose"].T
        distance: Numbers = np.sqrt((x - self.place) ** 2 + y**2 + qz**2)
        return distance


register("me/Dock-v0", Dock)

if __name__ == "__main__":
    envs: Any = gymnasium.make_vec("me/Dock-v0", num_envs=16, autoreset_mode="Disabled")
    seen, info = envs.reset(seed=1)
    parked, running = 0, np.ones(16, bool)
    while running.any():
        place, x, y, _, sine, _ = seen.T
        # Backwards, steered so that the rear comes to the line through the dock, and along it.
        heading = np.clip(1.5 * y, -0.6, 0.6)
        actions = np.stack([np.clip(place - x, -0.8, 0.8), 3.0 * (heading - np.arcsin(sine))], axis=1)
        seen, reward, terminated, truncated, info = envs.step(actions)
        parked += int((terminated & running).sum())
        running &= ~(terminated | truncated)
        if (terminated | truncated).any():
            seen, _ = envs.reset(options={"reset_mask": terminated | truncated})
    print(f"{parked} of 16 are parked")
    envs.close()
