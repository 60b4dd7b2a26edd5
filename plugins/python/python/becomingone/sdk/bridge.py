"""Bridges: drivers that read sensors and take commands for drives."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Self

from .. import _native
from ..errors import Unavailable

if TYPE_CHECKING:
    from .inputs import SensorInput


def values(fields: Mapping[str, str]) -> str:
    """The kind of a sensor with these numbers, by their names and units: ``{"current": "A"}``."""
    columns = ", ".join(
        f"(name: {json.dumps(name, ensure_ascii=False)}, unit: {json.dumps(unit, ensure_ascii=False)})" for name, unit in fields.items()
    )
    return f"Values(fields: [{columns}])"


class DriveOutput:
    """The drive of an agent, which a bridge takes commands for. Nothing moves unless the engine is armed."""

    def __init__(self, agent: str, source: str) -> None:
        self.agent = agent
        self.source = source

    def _ron(self) -> str:
        return f"(name: {json.dumps(self.agent, ensure_ascii=False)}, drive_source: {self.source})"


class Bridge:
    """A driver, by its options as a scene has them."""

    driver: str = ""
    key: str = ""

    def __init__(self, address: str) -> None:
        self._options = f"{self.key}: {json.dumps(address, ensure_ascii=False)}"

    def with_options(self, options: str) -> Self:
        """With more options of the driver: ``baud: 9600, protocol: Nmea``."""
        more = object.__new__(type(self))
        more._options = f"{self._options}, {options}"
        return more

    def _source(self) -> str:
        return f"Driver({json.dumps(self.driver, ensure_ascii=False)}, ({self._options}))"

    def reads(self, name: str, kind: str | Mapping[str, str], rate_hz: float) -> SensorInput:
        """A sensor that it feeds.

        Args:
            name: Name of the sensor.
            kind: Kind as in a scene (``Imu()``), or names and units of its numbers.
            rate_hz: Readings a second.
        """
        from .inputs import SensorInput

        of = kind if isinstance(kind, str) else values(kind)
        return SensorInput(name, of, rate_hz, self._source())

    def drives(self, agent: str) -> DriveOutput:
        """The drive of an agent, which it takes commands for."""
        return DriveOutput(agent, self._source())


class SerialBridge(Bridge):
    """A serial port, by its path, its USB id or ``tcp://host:port``."""

    driver: str = "serial"
    key: str = "port"


class MqttBridge(Bridge):
    """A broker of MQTT; the topic is an option."""

    driver: str = "mqtt"
    key: str = "broker"


class BluetoothBridge(Bridge):
    """A device of Bluetooth Low Energy, by its address."""

    driver: str = "bluetooth"
    key: str = "device"

    def __init__(self, address: str) -> None:
        if not _native.HAS_BLUETOOTH:
            raise Unavailable(
                "found a Bluetooth device, and this wheel has no Bluetooth; expected one that was built with it: on "
                "Debian apt-get install libdbus-1-dev, then pip install . --config-settings "
                'build-args="--features bluetooth" in plugins/python'
            )
        super().__init__(address)


class HttpBridge(Bridge):
    """A web server, whose state is polled, and which commands are posted to."""

    driver: str = "http"
    key: str = "url"


class WebSocketBridge(Bridge):
    """A server of WebSocket messages."""

    driver: str = "websocket"
    key: str = "url"


class FileBridge(Bridge):
    """A file, whose new lines are read, or which commands are written to."""

    driver: str = "file"
    key: str = "path"


class ProcessBridge(Bridge):
    """A program, by its arguments: what it prints is read, commands are its input. No shell reads them."""

    driver: str = "process"
    key: str = "argv"

    def __init__(self, argv: Sequence[str]) -> None:
        self._options = f"argv: {json.dumps(list(argv), ensure_ascii=False)}"
