"""Applications on the engine."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path as FilePath
from typing import Self

from .. import _native
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
    """A talk with a run: by a grammar, without a model and without a network.

    It speaks with the run of this user that serves, if there is one and no scene is named; else with one of its own, in
    real time. From a program nobody is asked, so what moves an agent needs a lease from elsewhere; :meth:`start` asks the
    person at standard input.

    Args:
        name: Its name; that of its `IDENTITY.md` where it is empty.
        system_prompt: What it says of itself.
        scene: Scene of a run of its own: a file, or the name of a built-in one.
        at: Address of the server that is asked, with the token of `BECOMINGONE_TOKEN` or of this user.
        folder: Its sessions, notes and files of identity.

    Raises:
        RunError: The run does not answer, or does not start.

    Example:
        >>> with AssistantApp("Solaria", scene="robot") as assistant:
        ...     print(assistant.send_message("what is wrong"))
    """

    def __init__(
        self,
        name: str = "",
        system_prompt: str = "",
        *,
        scene: str | PathLike[str] | None = None,
        at: str | None = None,
        folder: str | PathLike[str] | None = None,
    ) -> None:
        self.name = name
        self.system_prompt = system_prompt
        self._scene = None if scene is None else str(scene)
        self._at = at
        self._folder = None if folder is None else FilePath(folder)
        self._talk: _native.Talk | None = None
        self._said: list[tuple[str, str]] = []

    def start(self) -> None:
        """Talks with the person at standard input, until it ends or somebody says `quit`."""
        self.close()
        _native.talk(self.name, self.system_prompt, self._scene, self._at, self._folder)

    def send_message(self, text: str) -> str:
        """Returns the reply to a sentence."""
        if self._talk is None:
            self._talk = _native.Talk(self.name, self.system_prompt, self._scene, self._at, self._folder)
        reply = self._talk.say(text)
        self._said += [("user", text), ("assistant", reply)]
        return reply

    def get_conversation(self) -> list[tuple[str, str]]:
        """Returns what was said by :meth:`send_message`: who (`user`, `assistant`) and what, oldest first."""
        return list(self._said)

    def close(self) -> None:
        """Ends the talk, and a run of its own."""
        if self._talk is not None:
            self._talk.close()
            self._talk = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
