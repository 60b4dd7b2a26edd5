"""Controllers, sensors and sources in Python: functions of a simulation, and kinds that scenes name."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import becomingone as b1
from becomingone import errors

Made = tuple[float, float]


@b1.controller_kind("Follow", rate_hz=20)
def follow(sim: b1.Simulation, agent: str, *, gain: float = 1.0, speed_m_s: float, reverse: bool = False) -> Made:
    """Steers against its own yaw rate."""
    del reverse
    yaw_rate = sim.reading(f"{agent}/imu")[2]
    return speed_m_s, 0.1 - gain * float(np.nan_to_num(yaw_rate))


@b1.sensor_kind("Hull", fields={"temperature": "degC", "depth": "m"})
class Hull:
    """Warms by each metre, and counts its readings from the start of a run."""

    def __init__(self, *, offset: float = 15.0, steps: list[float] = [], label: str = "hull", every: int = 1) -> None:  # noqa: B006
        self.offset, self.steps, self.label, self.every, self.count = offset, steps, label, every, 0

    def __call__(self, sim: b1.Simulation, name: str) -> tuple[float, float] | None:
        assert name == "rover/hull"
        self.count += 1
        if self.count % self.every:
            return None
        return self.offset + float(sim.reading("rover/pose")[0]) + sum(self.steps), float(self.count)


@b1.driver_kind("lab")
def lab(sim: b1.Simulation, name: str, *, level: float) -> list[float]:
    assert name == "rover/tank"
    return [level + sim.time]


SCENE = """(
    version: 1,
    seed: 3,
    duration_s: 1,
    agents: [(
        name: "rover",
        model: "built-in/assets/rover.urdf",
        drive: Auto,
        coherence: Off,
        sensors: [
            (name: "imu", kind: Imu(), rate_hz: 100),
            (name: "hull", kind: Hull(HULL), rate_hz: 30),
            (name: "tank", kind: Values(fields: [(name: "level", unit: "m")]), rate_hz: 10, source: Driver("lab", (LAB))),
        ],
        controller: Follow(FOLLOW),
    )],
    faults: [(sensor: "rover/hull", kind: Freeze, at_s: 0.5)],
)"""


def scene(folder: Path, hull: str = "", lab: str = "level: 2", follow: str = "gain: 2.0, speed_m_s: 0.4") -> Path:
    file = folder / "own.ron"
    file.write_text(SCENE.replace("HULL", hull).replace("LAB", lab).replace("FOLLOW", follow))
    return file


def test_a_scene_names_kinds_in_python(tmp_path: Path) -> None:
    with b1.Simulation(scene(tmp_path, "offset: 10, steps: [1, 2.5], label: \"a\", every: 1")) as sim:
        assert sim.sensor("rover/hull") == b1.Sensor("rover/hull", ("temperature", "depth"), ("degC", "m"))
        sim.step(400)
        x_m, (temperature, count) = sim.reading("rover/pose")[0], sim.reading("rover/hull")
        assert 0.01 < x_m < 0.2 and abs(temperature - 13.5 - x_m) < 0.02
        # 30 Hz in 0.4 s: at 0, 34, .. 367 ms.
        assert count == 12
        assert sim.truth("rover/hull").tolist() == [temperature, count]
        assert sim.agent("rover")["request"] is not None, "the controller drives"
        assert sim.reading("rover/tank").tolist() == [pytest.approx(2.3)]
        sim.step(600)
        frozen, truth = sim.reading("rover/hull"), sim.truth("rover/hull")
        assert (frozen[1], truth[1]) == (16.0, 30.0), "faults are injected as into any sensor"
        text = sim.scene
        assert "Follow(" in text and "gain: 2.0" in text and "Hull(" in text and "level: 2" in text


def test_two_runs_and_a_reset_have_the_same_bits(tmp_path: Path) -> None:
    file = scene(tmp_path)
    first, second = (b1.run(file, seed=5) for _ in range(2))
    assert first.ticks == 1000 and first.state_hash == second.state_hash
    assert b1.run(file, seed=6).state_hash != first.state_hash
    with b1.Simulation(file, seed=6) as sim:
        # Not in step with any rate.
        for _ in range(70):
            sim.step(7)
        sim.reset(seed=5)
        assert sim.run().state_hash == first.state_hash


@pytest.mark.parametrize(
    ("given", "place", "text"),
    [
        ({"follow": "gian: 2.0, speed_m_s: 0.4"}, (15, 28), "unknown .*`gian`"),
        ({"follow": "gain: \"x\", speed_m_s: 0.4"}, (15, 34), "expected"),
        ({"follow": "gain: 2.0"}, None, "speed_m_s"),
        ({"follow": "gain: 1, gain: 2, speed_m_s: 1"}, None, "gain"),
        ({"hull": "every: 1.5"}, None, "integer|whole|expected"),
        ({"hull": "steps: 3"}, None, "expected"),
        ({"lab": "level: true"}, None, "expected"),
        ({"lab": ""}, None, "level"),
    ],
)
def test_wrong_parameters_have_their_place(
    given: dict[str, str], place: tuple[int, int] | None, text: str, tmp_path: Path
) -> None:
    file = scene(tmp_path, **given)
    for start in (lambda: b1.Scene(file).check(), lambda: b1.Simulation(file)):
        with pytest.raises(errors.SceneError, match=f"(?i){text}") as found:
            start()
        assert found.value.file is not None and found.value.file.endswith("own.ron")
        assert (found.value.line, found.value.column) == place if place else found.value.line in (12, 13, 15)


def test_an_unknown_kind_lists_those_in_python(tmp_path: Path) -> None:
    file = tmp_path / "wrong.ron"
    file.write_text(SCENE.replace("Follow(FOLLOW)", "Follows()").replace("HULL", "").replace("LAB", "level: 1"))
    with pytest.raises(errors.SceneError, match=r"unknown controller kind `Follows`.*`Follow`.*did you mean `Follow`"):
        b1.Scene(file).check()


def test_functions_of_one_simulation() -> None:
    calls: list[float] = []

    def warmth(sim: b1.Simulation, name: str) -> float:
        calls.append(sim.time)
        return 20.0 + sim.time

    def imu(sim: b1.Simulation, name: str) -> Any:
        return None if sim.time < 0.1 else np.arange(6.0)

    def run() -> tuple[str, Any, Any]:
        thermometer = b1.SensorFunction(warmth, fields={"temperature": "degC"}, rate_hz=7)
        with b1.Simulation("robot", seed=7, sensors={"rover/thermometer": thermometer}, sources={"rover/imu": imu}) as sim:
            sim.step(50)
            assert np.isnan(sim.reading("rover/imu")).all()
            sim.run(0.95)
            return sim.state_hash, sim.reading("rover/imu"), sim.reading("rover/thermometer")

    begun = time.monotonic()
    first, imu_reading, warm = run()
    assert time.monotonic() - begun < 20.0, "nothing of it is in real time"
    assert calls == pytest.approx([0.0, 0.143, 0.286, 0.429, 0.572, 0.715, 0.858])
    assert imu_reading.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0] and warm.tolist() == [pytest.approx(20.858)]
    assert run()[0] == first


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"sources": {"rover/imuu": lambda *_: None}}, "found no sensor \"rover/imuu\"; expected one of .*`rover/imu`"),
        ({"sensors": {"robber/a": b1.SensorFunction(lambda *_: 1.0, {"x": "m"}, 10)}}, "found no agent `robber`"),
        ({"sensors": {"rover/imu": b1.SensorFunction(lambda *_: 1.0, {"x": "m"}, 10)}}, "imu"),
        ({"sensors": {"rover/a": b1.SensorFunction(lambda *_: 1.0, {"x": "m"}, 1e5)}}, "rate_hz"),
    ],
)
def test_wrong_names_and_rates_are_errors_of_the_scene(options: dict[str, Any], text: str) -> None:
    with pytest.raises(errors.SceneError, match=text):
        b1.Simulation("robot", **options)


class Mine(Exception):
    pass


@pytest.mark.parametrize("where", ["sensor", "source", "controller"])
def test_an_exception_ends_the_run_with_its_traceback(where: str) -> None:
    def fail(*arguments: Any) -> Any:
        if arguments[0].time > 0.2:
            raise Mine("the third")
        return None

    options: dict[str, Any] = {
        "sensor": {"sensors": {"rover/a": b1.SensorFunction(fail, {"x": "m"}, 10)}},
        "source": {"sources": {"rover/imu": fail}},
        "controller": {},
    }[where]
    with b1.Simulation("robot", seed=7, **options) as sim:
        if where == "controller":
            sim.controller("rover", fail, rate_hz=10)
        with pytest.raises(errors.CallbackError, match="Mine: the third") as raised:
            sim.run(1.0)
        assert isinstance(raised.value, errors.RunError) and isinstance(raised.value.__cause__, Mine)
        assert raised.value.name == {"sensor": "rover/a", "source": "rover/imu", "controller": "rover"}[where]
        assert "in fail" in "".join(traceback.format_exception(raised.value))
        assert 200 < sim.ticks <= 301, "between two ticks"


@pytest.mark.parametrize("returned", ["1.0", [1.0], [1.0, 2.0, 3.0], [1.0, float("inf")], ["a", "b"], {"a": object()}])
def test_what_is_no_reading_is_an_error(returned: Any) -> None:
    sensor = b1.SensorFunction(lambda *_: returned, {"x": "m", "y": "m"}, 10)
    with b1.Simulation("robot", sensors={"rover/a": sensor}) as sim:
        with pytest.raises(errors.CallbackError, match="rover/a: "):
            sim.step(5)
        assert sim.ticks == 0


def test_a_missing_number_is_nan_and_numpy_numbers_are_numbers() -> None:
    returned: list[Any] = [np.array([1.0, np.nan]), np.float32(2.0)]
    sensors = {
        "rover/a": b1.SensorFunction(lambda *_: returned[0], {"x": "m", "y": "m"}, 10),
        "rover/b": b1.SensorFunction(lambda *_: returned[1], {"x": "m"}, 10),
    }
    with b1.Simulation("robot", sensors=sensors) as sim:
        sim.step(5)
        assert sim.reading("rover/a")[0] == 1.0 and np.isnan(sim.reading("rover/a")[1])
        assert sim.reading("rover/b").tolist() == [2.0]


def test_a_function_cannot_step() -> None:
    sensor = b1.SensorFunction(lambda sim, _: sim.step(), {"x": "m"}, 10)
    with b1.Simulation("robot", sensors={"rover/a": sensor}) as sim:
        with pytest.raises(errors.CallbackError, match="found step in a controller or sensor"):
            sim.step(5)


def test_a_batch_refuses_kinds_in_python(tmp_path: Path) -> None:
    with pytest.raises(errors.SceneError, match="which is written in Python"):
        b1.BatchSimulation(scene(tmp_path), 2, observe=["rover/imu"])


def test_declarations_that_are_wrong() -> None:
    def plain(sim: b1.Simulation, name: str) -> float:
        return 0.0

    with pytest.raises(ValueError, match="which the engine has"):
        b1.sensor_kind("Imu", fields={"x": "m"})(plain)
    with pytest.raises(ValueError, match="which the engine has"):
        b1.controller_kind("Patrol")(plain)
    with pytest.raises(ValueError, match="which the engine has"):
        b1.driver_kind("udp")(plain)
    with pytest.raises(ValueError, match="expected another name for"):
        b1.controller_kind("Follow")(plain)
    with pytest.raises(ValueError, match="expected a word"):
        b1.driver_kind("a b")(plain)
    with pytest.raises(ValueError, match="names and units"):
        b1.sensor_kind("Empty", fields={})(plain)
    with pytest.raises(ValueError, match="expected 2 to"):
        b1.controller_kind("Slow", rate_hz=1)

    def untyped(sim: b1.Simulation, name: str, *, gain=1.0) -> float:  # type: ignore[no-untyped-def]
        return float(gain)

    def ill(sim: b1.Simulation, name: str, *, gain: int = 1.5) -> float:  # type: ignore[assignment]
        return float(gain)

    def more(sim: b1.Simulation, name: str, gain: float) -> float:
        return gain

    for wrong, text in [(untyped, "expected a type"), (ill, "a default of its type"), (more, "found 3 positional")]:
        with pytest.raises(TypeError, match=text):
            b1.driver_kind("wrong")(wrong)
    # Run again, as a cell of a notebook.
    assert b1.controller_kind("Follow", rate_hz=20)(follow) is follow


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_ends_a_run_with_functions(tmp_path: Path) -> None:
    code = (
        "import becomingone as b1\n"
        "sensor = b1.SensorFunction(lambda sim, _: sim.time, {'x': 'm'}, 100)\n"
        "with b1.Simulation('robot', sensors={'rover/a': sensor}) as sim:\n"
        "    print('begun', flush=True)\n"
        "    sim.step(10**9)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline() == "begun\n"
    time.sleep(0.2)
    begun = time.monotonic()
    child.send_signal(signal.SIGINT)
    _, text = child.communicate(timeout=30)
    assert "KeyboardInterrupt" in text and time.monotonic() - begun < 10.0


def test_a_recording_has_the_readings(tmp_path: Path) -> None:
    file = tmp_path / "run.mcap"
    b1.run(scene(tmp_path), record=file)
    recording = b1.Recording(file)
    assert len(recording["/rover/hull"]) == 30 and "temperature" in recording["/rover/hull"].columns
    assert recording["/rover/tank"]["level"].tolist() == pytest.approx([2.0 + 0.1 * k for k in range(10)])


def test_engines_with_sources_leave_no_thread(tmp_path: Path) -> None:
    file = scene(tmp_path)
    for _ in range(3):
        b1.Simulation(file).close()
    begun = threading.active_count(), len(os.listdir("/proc/self/task")) if sys.platform == "linux" else 0
    for _ in range(10):
        b1.Simulation(file).close()
    after = threading.active_count(), len(os.listdir("/proc/self/task")) if sys.platform == "linux" else 0
    assert after == begun


@pytest.mark.slow
def test_what_a_call_costs() -> None:
    """Printed for the documentation: microseconds of a call beside the step itself."""
    took: dict[str, float] = {}
    sensor = b1.SensorFunction(lambda *_: 1.0, {"x": "m"}, 1000)
    cases: dict[str, dict[str, Any]] = {
        "plain": {},
        "sensor": {"sensors": {"rover/a": sensor}},
        "source": {"sources": {"rover/imu": lambda *_: (0.0,) * 6}},
    }
    for name, options in {**cases, "controller": {}}.items():
        with b1.Simulation("robot", seed=7, **options) as sim:
            if name == "controller":
                sim.controller("rover", lambda _: (0.1, 0.0), rate_hz=1000)
            each = []
            for _ in range(5):
                begun = time.perf_counter()
                for _ in range(500):
                    sim.step()
                each.append((time.perf_counter() - begun) / 500 * 1e6)
            took[name] = statistics.median(each)
    print({name: f"{us - took['plain']:+.1f} us" for name, us in took.items()})
    assert all(us - took["plain"] < 500.0 for us in took.values())
