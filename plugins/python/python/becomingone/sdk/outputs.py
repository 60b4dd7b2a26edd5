"""Outputs: where the state of a run goes."""

from __future__ import annotations

import os
from typing import Any

from ..scene import Path
from .bridge import HttpBridge, WebSocketBridge
from .inputs import sound

ApiOutput = HttpBridge
"""A web server that commands are posted to."""
WebSocketOutput = WebSocketBridge
"""A server that commands are sent to."""


class DisplayOutput:
    """Rerun's viewer: a window, a viewer that is there, or a file for later.

    Args:
        connect: Address of a viewer: ``rerun+http://127.0.0.1:9876/proxy``.
        save: A file for ``rerun FILE``. Neither: a window, which needs a display and ``pip install rerun-sdk==0.36.*``.
    """

    def __init__(self, *, connect: str | None = None, save: Path | None = None) -> None:
        if connect is not None and save is not None:
            raise ValueError("found both `connect` and `save`; expected one of them")
        self._display = "window"
        if connect is not None:
            self._display = f"connect={connect}"
        elif save is not None:
            self._display = f"save={os.fspath(save)}"

    def _beside(self) -> dict[str, Any]:
        return {"display": self._display}


class TextOutput:
    """Lines of JSON with the state of each agent.

    Args:
        file: A file; ``None``: standard output.
        rate_hz: Lines a second of simulated time.
    """

    def __init__(self, file: Path | None = None, *, rate_hz: float = 10.0) -> None:
        self._lines = ("-" if file is None else os.fspath(file), rate_hz)

    def _beside(self) -> dict[str, Any]:
        return {"lines": self._lines}


class SpeakerOutput:
    """A speaker: alarms, and coherence as a pitch between 220 Hz and 440 Hz.

    Args:
        device: The device whose name begins so; ``None``: the system's.
    """

    def __init__(self, device: str | None = None) -> None:
        self._device = device or ""

    def _beside(self) -> dict[str, Any]:
        sound("a speaker")
        return {"speaker": self._device}


__all__ = ["ApiOutput", "DisplayOutput", "SpeakerOutput", "TextOutput", "WebSocketOutput"]
