"""Applications on the engine."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import Unavailable
from ..scene import Path, Scene, Value
from .core import CoherenceEngine


class RobotApp(CoherenceEngine):
    """A robot: its scene, and motors that are enabled by hand.

    Args:
        scene: A scene with a robot.
        seed: Seed of all random numbers.
        arm: Arm hardware actuators.
    """

    def __init__(
        self,
        scene: Scene | Path | Mapping[str, Value] = "robot",
        *,
        seed: int | None = None,
        arm: bool = False,
    ) -> None:
        super().__init__(scene, seed=seed, arm=arm)

    def enable_motors(self, agent: str) -> None:
        """Clears the latched stop of an agent."""
        self.start().clear_stop(agent)

    def disable_motors(self, agent: str) -> None:
        """Stops an agent; the stop latches until :meth:`enable_motors`."""
        self.start().stop_agent(agent)


class VehicleApp(CoherenceEngine):
    """A vehicle on its track.

    Args:
        scene: A scene with a vehicle.
        seed: Seed of all random numbers.
        arm: Arm hardware actuators.
    """

    def __init__(
        self,
        scene: Scene | Path | Mapping[str, Value] = "vehicle",
        *,
        seed: int | None = None,
        arm: bool = False,
    ) -> None:
        super().__init__(scene, seed=seed, arm=arm)

    def emergency_stop(self, agent: str) -> None:
        """Stops a vehicle; the stop latches."""
        self.start().stop_agent(agent)


class AssistantApp:
    """The assistant. It is not in this version.

    Args:
        name: Its name.
        system_prompt: What a model is told first.
    """

    def __init__(self, name: str, system_prompt: str = "") -> None:
        self.name = name
        self.system_prompt = system_prompt

    def start(self) -> None:
        """Raises, as this version has no assistant."""
        raise Unavailable(
            "found no assistant in this version; expected a later one: pip install --upgrade becomingone"
        )
