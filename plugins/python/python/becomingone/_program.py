"""The program `becomingone` of this package."""

from __future__ import annotations

import os
import sys
import sysconfig


def path() -> str | None:
    """Its file, beside the interpreter's; `None` where it is not installed."""
    name = "becomingone.exe" if os.name == "nt" else "becomingone"
    file = os.path.join(sysconfig.get_path("scripts"), name)
    return file if os.path.isfile(file) else None


def command() -> list[str]:
    """How to start it: with this package, wherever it is, and nothing of the working folder."""
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    start = f"import sys; sys.path.insert(0, {folder!r}); from becomingone.__main__ import main; sys.exit(main())"
    return [sys.executable, "-P", "-c", start]
