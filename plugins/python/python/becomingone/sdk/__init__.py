"""The concept's names: an engine with inputs, outputs and servers, without a scene file.

>>> from becomingone.sdk import CoherenceEngine
>>> CoherenceEngine().run(duration=0.1).ticks
100

What this build or machine lacks, sound for example, can be imported; using it raises
:class:`becomingone.errors.Unavailable`, which says what to install.
"""

from __future__ import annotations

from .api import Server, grpc_api, mcp_server, rest_api, websocket_api
from .bridge import (
    BluetoothBridge,
    FileBridge,
    HttpBridge,
    MqttBridge,
    ProcessBridge,
    SerialBridge,
    WebSocketBridge,
)
from .core import CoherenceEngine
from .inputs import ApiInput, CameraInput, MicrophoneInput, SensorInput, TextInput, WebSocketInput
from .outputs import ApiOutput, DisplayOutput, SpeakerOutput, TextOutput, WebSocketOutput

__all__ = [
    "ApiInput",
    "ApiOutput",
    "BluetoothBridge",
    "CameraInput",
    "CoherenceEngine",
    "DisplayOutput",
    "FileBridge",
    "HttpBridge",
    "MicrophoneInput",
    "MqttBridge",
    "ProcessBridge",
    "SensorInput",
    "SerialBridge",
    "Server",
    "SpeakerOutput",
    "TextInput",
    "TextOutput",
    "WebSocketBridge",
    "WebSocketInput",
    "WebSocketOutput",
    "grpc_api",
    "mcp_server",
    "rest_api",
    "websocket_api",
]
