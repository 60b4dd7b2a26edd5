"""Inputs: sensors outside, by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .. import _native
from ..errors import Unavailable
from .bridge import HttpBridge, WebSocketBridge, values

if TYPE_CHECKING:
    from .core import CoherenceEngine

ApiInput = HttpBridge
"""A web server whose state is read."""
WebSocketInput = WebSocketBridge
"""A server whose messages are read."""


class SensorInput:
    """A sensor as a scene states it.

    Args:
        name: Its name, unique on its agent.
        kind: Kind with its fields, as in a scene: ``Imu()``.
        rate_hz: Readings a second.
        source: Where its readings come from, as in a scene: ``Driver("file", (path: "tank.jsonl"))``; ``None``: it is
            simulated.
    """

    def __init__(self, name: str, kind: str, rate_hz: float, source: str | None = None) -> None:
        self.name = name
        self.kind = kind
        self.rate_hz = rate_hz
        self.source = source

    def _ron(self) -> str:
        source = "" if self.source is None else f", source: {self.source}"
        return f"(name: {json.dumps(self.name, ensure_ascii=False)}, kind: {self.kind}, rate_hz: {self.rate_hz!r}{source})"

    def _available(self) -> None:
        """Raises where this build lacks it."""


class MicrophoneInput(SensorInput):
    """A microphone: level, strongest tone and octave bands, 50 times a second.

    Args:
        device: The device whose name begins so, as ``becomingone list audio`` prints it; ``None``: the system's.
    """

    def __init__(self, device: str | None = None) -> None:
        chosen = "Default" if device is None else f"Name({json.dumps(device, ensure_ascii=False)})"
        source = f'Driver("audio", (device: {chosen}))'
        super().__init__("microphone", "Microphone()", 50.0, source)

    def _available(self) -> None:
        sound("a microphone")


class CameraInput(SensorInput):
    """A camera: luminance, motion and the picture, 30 times a second.

    Args:
        url: MJPEG of a web server.
        folder: Pictures of a folder, again and again.
    """

    def __init__(self, url: str | None = None, *, folder: str | None = None) -> None:
        if (url is None) == (folder is None):
            raise ValueError("found both or neither of `url` and `folder`; expected one of them")
        options = (
            f"url: {json.dumps(url, ensure_ascii=False)}"
            if folder is None
            else f"folder: {json.dumps(folder, ensure_ascii=False)}, rate_hz: 30, loop: true"
        )
        super().__init__("camera", "Camera()", 30.0, f'Driver("camera", ({options}))')


class TextInput:
    """Numbers that this program writes: each line of JSON, or mapping, is a reading.

    Args:
        name: Name of the sensor.
        fields: Names and units of its numbers: ``{"level": "m"}``.

    Example:
        >>> tank = TextInput("tank", {"level": "m"})
        >>> engine.add_input(tank)
        >>> engine.start()
        >>> tank.write({"level": 1.5})
    """

    def __init__(self, name: str, fields: Mapping[str, str]) -> None:
        self.name = name
        self.fields: dict[str, str] = dict(fields)
        self._engine: CoherenceEngine | None = None

    def write(self, reading: Mapping[str, float] | str) -> None:
        """Writes a reading. Of more than 64 between two ticks, the oldest are dropped and counted."""
        if self._engine is None:
            raise RuntimeError(f"found no engine that reads {self.name!r}; expected add_input first")
        line = reading if isinstance(reading, str) else json.dumps(dict(reading))
        self._engine.start()._engine.write(self.name, line)


def sound(what: str) -> None:
    """Raises where this build has no sound."""
    if not _native.HAS_AUDIO:
        raise Unavailable(
            f"found {what}, and this wheel has no sound; expected one that was built with it: on Debian "
            "apt-get install libasound2-dev, then pip install . --config-settings "
            'build-args="--features audio" in plugins/python'
        )


__all__ = [
    "ApiInput",
    "CameraInput",
    "MicrophoneInput",
    "SensorInput",
    "TextInput",
    "WebSocketInput",
    "values",
]
