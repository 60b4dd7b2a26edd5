"""What the tests share: runs of other interpreters and of the program, and how loaded the machine is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes more than ten seconds")
    config.addinivalue_line("markers", "soak: takes up to twenty minutes")
    if not config.option.markexpr:
        config.option.markexpr = "not slow and not soak"


def load() -> float:
    """Processes that want a processor, per processor: above 1, others are in the way."""
    return os.getloadavg()[0] / (os.cpu_count() or 1)


def python(code: str, *arguments: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
    """Runs this code in another interpreter; fails if it hangs."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=timeout
    )


def program(*arguments: str, timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
    """Runs the program of this package."""
    return subprocess.run(
        [sys.executable, "-m", "becomingone", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def program_summary(folder: Path, *arguments: str) -> dict[str, Any]:
    """Summary of a run of the program."""
    file = folder / "summary.json"
    done = program("run", *arguments, "--rerun", "off", "--quiet", "--summary", str(file))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(file.read_text())
    return found


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of three seconds of the robot."""
    import becomingone as b1

    file = tmp_path_factory.mktemp("recording") / "run.mcap"
    b1.run("robot", seed=7, duration=3.0, record=file)
    return file
