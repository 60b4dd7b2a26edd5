"""What a run has come to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Alarm:
    """An alarm of a kernel.

    Attributes:
        from_s: Simulated time of its begin (s).
        until_s: Of its end (s); ``None`` while it lasts.
        cause: The channel that is isolated as faulty: ``imu/gyro_z``.
    """

    from_s: float
    until_s: float | None
    cause: str


@dataclass(frozen=True)
class AgentSummary:
    """An agent at the end of a run.

    Attributes:
        name: Its name.
        distance_m: Length of its path (m).
        max_speed_m_s: Largest speed of its bodies (m/s).
        position: True position (m).
        orientation: True rotation: quaternion x, y, z, w.
        goals_reached: Waypoints that it has reached.
        goals_given_up: Waypoints that it has given up.
        collisions: Contacts begun with anything but the ground.
        surprise: Deviation of its readings from what was learned; above 1 in an alarm. ``None``: nothing is learned.
        alarms: The first alarms.
        data: All that the program's ``--summary`` has of it.
    """

    name: str
    distance_m: float
    max_speed_m_s: float
    position: tuple[float, ...]
    orientation: tuple[float, ...]
    goals_reached: int
    goals_given_up: int
    collisions: int
    surprise: float | None
    alarms: tuple[Alarm, ...]
    data: dict[str, Any]


@dataclass(frozen=True)
class Summary:
    """A run so far.

    Attributes:
        scene: Name of the scene.
        scene_hash: Hash of the resolved scene.
        seed: Seed of all random numbers.
        ticks: Ticks done.
        sim_s: Simulated time (s).
        wall_s: Time that it took (s).
        state_hash: Hash of the whole state: equal for the same scene and seed, wherever it runs.
        agents: Its agents.
        data: All that the program's ``--summary`` has.
    """

    scene: str
    scene_hash: str
    seed: int
    ticks: int
    sim_s: float
    wall_s: float
    state_hash: str
    agents: tuple[AgentSummary, ...]
    data: dict[str, Any]

    def __getitem__(self, agent: str) -> AgentSummary:
        """The agent of this name."""
        for one in self.agents:
            if one.name == agent:
                return one
        raise KeyError(agent)


def _summary(text: str) -> Summary:
    data: dict[str, Any] = json.loads(text)
    return Summary(
        scene=data["scene"],
        scene_hash=data["scene_hash"],
        seed=data["seed"],
        ticks=data["ticks"],
        sim_s=data["sim_s"],
        wall_s=data["wall_s"],
        state_hash=data["state_hash"],
        agents=tuple(_agent(agent) for agent in data["agents"]),
        data=data,
    )


def _agent(data: dict[str, Any]) -> AgentSummary:
    witness: dict[str, Any] | None = data["kernel"]["witness"]
    alarms: list[dict[str, Any]] = [] if witness is None else witness["alarms"]
    return AgentSummary(
        name=data["name"],
        distance_m=data["distance_m"],
        max_speed_m_s=data["max_speed_m_s"],
        position=tuple(data["position"]),
        orientation=tuple(data["orientation"]),
        goals_reached=data["goals_reached"],
        goals_given_up=data["goals_given_up"],
        collisions=data["collisions"],
        surprise=data["kernel"]["surprise"],
        alarms=tuple(Alarm(a["from_s"], a["until_s"], a["cause"]) for a in alarms),
        data=data,
    )
