"""Types and the cost of an import."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import load

import becomingone

PACKAGE = Path(becomingone.__file__).parent
PLUGIN = Path(__file__).parent.parent
EXAMPLES = sorted((PLUGIN / "examples").glob("*.py"))


def tool(*arguments: str, timeout: float = 170.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=PLUGIN,
        # pyright looks for the first Python of the path.
        env={
            **os.environ,
            # Not where it is installed: mypy would take the packages beside it for its own.
            **({} if PACKAGE.parent.name == "site-packages" else {"PYTHONPATH": str(PACKAGE.parent)}),
            "PATH": os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]]),
        },
    )


def test_the_package_says_that_it_is_typed() -> None:
    assert (PACKAGE / "py.typed").exists()


def test_mypy_is_content(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    for what in [["--package", "becomingone"], list(map(str, EXAMPLES))]:
        done = tool("mypy", "--strict", "--cache-dir", str(tmp_path), *what)
        assert done.returncode == 0, done.stdout


def test_pyright_is_content(tmp_path: Path) -> None:
    pytest.importorskip("pyright")
    config = tmp_path / "pyrightconfig.json"
    # It takes no files but those of its folder.
    shutil.copytree(PACKAGE, tmp_path / "becomingone", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    # The libraries of the other examples do not say all of their own.
    example = "own_task.py"
    shutil.copy(PLUGIN / "examples" / example, tmp_path)
    config.write_text(
        json.dumps(
            {
                "include": ["becomingone", example],
                "typeCheckingMode": "strict",
                "pythonVersion": "3.11",
                # The package's own modules use what is private to it, and its native part is not beside its types here.
                "reportPrivateUsage": "none",
                "reportUnusedFunction": "none",
                # Callers without a type checker are told too what is wrong.
                "reportUnnecessaryIsInstance": "none",
                "reportMissingModuleSource": "none",
            }
        )
    )
    done = tool("pyright", "--project", str(config), "--pythonpath", sys.executable)
    assert done.returncode == 0 and "0 errors" in done.stdout and "No source files" not in done.stdout, done.stdout


def test_all_that_users_see_has_types() -> None:
    pytest.importorskip("pyright")
    done = tool("pyright", "--verifytypes", "becomingone", "--ignoreexternal")
    errors = [line for line in done.stdout.splitlines() if " - error: " in line]
    # Gymnasium and PettingZoo do not say all of their own.
    ours = [line for line in errors if f"{os.sep}gym{os.sep}" not in line]
    assert "Symbols exported" in done.stdout and not ours, done.stdout


def test_the_stubs_are_those_of_the_native_part() -> None:
    pytest.importorskip("mypy")
    done = tool("mypy.stubtest", "becomingone._native", "--ignore-disjoint-bases")
    assert done.returncode == 0, done.stdout


USE = '''
import numpy as np
from numpy.typing import NDArray
from typing import assert_type
import becomingone as b1
from becomingone.sdk import CoherenceEngine, TextInput, rest_api

with b1.Simulation("robot", seed=7) as sim:
    assert_type(sim, b1.Simulation)
    while not sim.done:
        sim.step(10)
        imu = sim.reading("rover/imu")
        assert_type(imu, NDArray[np.float64])
    def decide(s: b1.Simulation) -> tuple[float, float]:
        return 0.5, 0.0
    sim.controller("rover", decide, rate_hz=20)
    sim.controller("rover", lambda s: None, rate_hz=20)
    assert_type(sim.run().state_hash, str)
    assert_type(sim.url, str | None)
with b1.BatchSimulation("robot", 4, observe=["rover/pose"], agent="rover", action="twist") as batch:
    assert_type(batch, b1.BatchSimulation)
    assert_type(batch.step(10, [[0.5, 0.0]] * 4), NDArray[np.float64])
    assert_type(batch.step(10, np.zeros((4, 2))), NDArray[np.float64])
    batch.reset(mask=batch.done, seed=np.int64(3))
assert_type(b1.Monitor(8).push(0.0, np.zeros(8)).alarm, NDArray[np.bool_])
assert_type(b1.analyze({"a": [1.0, 2.0]}, baseline=400).intervals, list[b1.Interval])
scene = b1.Scene({"version": 1, "agents": [{"name": "a", "coherence": {"Kernel": {"channels": []}}}]})
b1.Scene("robot", set={"agents.rover.controller.speed_m_s": 0.5})
engine = CoherenceEngine(scene)
engine.add_input(TextInput("tank", {"level": "m"}))
rest_api(engine, port=8000).start()
engine.run()
'''

MISUSE = '''
import becomingone as b1
b1.Simulation(5)
b1.Simulation("robot", sed=7)
b1.Simulation("robot").step("x")
b1.BatchSimulation("robot", 4, observe=["rover/pose"], action="twists")
b1.Monitor(8).push(0.0)
b1.run("robot").state_hsh
'''


def test_lines_of_users_are_typed_and_mistakes_are_found(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    use, misuse = tmp_path / "use.py", tmp_path / "misuse.py"
    use.write_text(USE)
    misuse.write_text(MISUSE)
    done = tool("mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(use))
    assert done.returncode == 0, done.stdout
    done = tool("mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(misuse))
    found = {line.split(":")[1] for line in done.stdout.splitlines() if ": error:" in line}
    assert found == {"3", "4", "5", "6", "7", "8"}, done.stdout


def test_an_import_takes_no_more_than_150_ms() -> None:
    """Beside an interpreter that does nothing; both on this machine, as it is loaded."""

    def seconds(code: str) -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - began

    seconds("import becomingone")
    empty = statistics.median(seconds("pass") for _ in range(5))
    whole = statistics.median(seconds("import becomingone") for _ in range(5))
    found, bound = whole - empty, 0.15 * max(1.0, load())
    print(f"\nimport becomingone: {found * 1e3:.0f} ms beside {empty * 1e3:.0f} ms of an empty interpreter; load {load():.1f} a processor")
    assert found < bound


def test_an_import_brings_no_library_that_it_does_not_need() -> None:
    code = "import sys, becomingone, becomingone.sdk; print(sorted({'pandas', 'polars', 'pyarrow', 'gymnasium', 'ray', 'jax', 'torch'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
