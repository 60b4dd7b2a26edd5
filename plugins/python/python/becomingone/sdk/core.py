"""The engine: the coherence kernel, and what is attached to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol, Self

from .. import _native
from ..scene import Path, Scene, Value, _scene
from ..simulation import Simulation
from ..summary import Summary
from .bridge import Bridge, DriveOutput
from .inputs import SensorInput, TextInput

_KERNEL: Mapping[str, Value] = {
    "version": 1,
    "name": "kernel",
    "world": {"ground": None},
    "agents": [
        {
            "name": "kernel",
            "coherence": {
                "Kernel": {"channels": [{"name": "clock", "signal": {"Tone": {"frequency_hz": 1.0}}}]}
            },
        }
    ],
}
"""The bare kernel: one agent without a body, with its own clock of 1 Hz as the only channel."""


class Output(Protocol):
    """Something that an engine writes to."""

    def _beside(self) -> dict[str, Any]: ...


class CoherenceEngine:
    """The coherence kernel, alone or in a scene; it just works: ``CoherenceEngine().run()``.

    Args:
        scene: A scene; ``None``: the bare kernel, which runs in real time until it is stopped.
        seed: Seed of all random numbers.
        arm: Arm hardware actuators: without this, commands are computed and not sent.

    Example:
        >>> engine = CoherenceEngine()
        >>> engine.run(duration=0.5).agents[0].name
        'kernel'
    """

    def __init__(
        self,
        scene: Scene | Path | Mapping[str, Value] | None = None,
        *,
        seed: int | None = None,
        arm: bool = False,
    ) -> None:
        self._scene = Scene(_KERNEL) if scene is None else _scene(scene)
        self._is_bare = scene is None
        self._seed = seed
        self._arm = arm
        self._sensors: list[str] = []
        self._drives: list[str] = []
        self._texts: list[TextInput] = []
        self._beside: dict[str, Any] = {}
        self._simulation: Simulation | None = None

    def add_input(self, input: SensorInput | TextInput) -> Self:  # noqa: A002: the concept's word
        """Adds a sensor to the first agent, before the start. An engine with a driver runs in real time.

        Raises:
            Unavailable: This build lacks it; the text says what to install.
        """
        self._is_open()
        if isinstance(input, TextInput):
            input._engine = self
            self._texts.append(input)
            return self
        if isinstance(input, Bridge):
            raise TypeError(f"found a {type(input).__name__}; expected a sensor that it reads: bridge.reads(name, ..)")
        input._available()
        self._sensors.append(input._ron())
        return self

    def add_output(self, output: Output | DriveOutput) -> Self:
        """Adds an output, before the start.

        Raises:
            Unavailable: This build lacks it; the text says what to install.
        """
        self._is_open()
        if isinstance(output, DriveOutput):
            self._drives.append(output._ron())
        elif isinstance(output, Bridge):
            raise TypeError(f"found a {type(output).__name__}; expected a drive that it moves: bridge.drives(agent)")
        else:
            self._beside |= output._beside()
        return self

    def _is_open(self) -> None:
        if self._simulation is not None:
            raise RuntimeError("found an engine that has started; expected inputs and outputs before")

    def _serve(self, port: int) -> None:
        self._is_open()
        self._beside["serve"] = port
        self.start()

    def start(self) -> Simulation:
        """Makes the engine with all that was added; :meth:`run` calls it.

        Raises:
            SceneError: Something that was added is wrong.
        """
        if self._simulation is None:
            scene = self._scene
            if self._sensors or self._drives:
                first = _native.agents(scene._with_kinds())[0]
                sensors = ", ".join(self._sensors)
                agents = [f"(name: {json.dumps(first, ensure_ascii=False)}, sensors: [{sensors}])"] if sensors else []
                text = f"(agents: [{', '.join(agents + self._drives)}])"
                native = dict(scene._native)
                native["texts"] = {**native["texts"], "attached.ron": text}
                native["configs"] = [*native["configs"], "attached.ron"]
                scene = object.__new__(Scene)
                scene._native = native
            written = [(text.name, list(text.fields.items())) for text in self._texts]
            beside = {**self._beside, "written": written}
            rate = 1.0 if self._is_bare else None
            self._simulation = Simulation(scene, seed=self._seed, rate=rate, arm=self._arm, _beside=beside)
        return self._simulation

    def run(self, duration: float | None = None) -> Summary:
        """Runs until Ctrl-C, the scene's end, or for this much simulated time (s).

        Ctrl-C ends it between two ticks: its recordings are completed, and the summary is returned.
        """
        simulation = self.start()
        try:
            return simulation.run(duration)
        except KeyboardInterrupt:
            return simulation.summary()

    def stop(self) -> None:
        """Ends :meth:`run`, from any thread."""
        if self._simulation is not None:
            self._simulation.stop()

    def summary(self) -> Summary:
        """The run so far."""
        return self.start().summary()

    def close(self) -> None:
        """Ends it."""
        if self._simulation is not None:
            self._simulation.close()
