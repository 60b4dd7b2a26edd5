"""One simulation: its results, its arrays, its errors, and what threads, signals and forks do to it."""

from __future__ import annotations

import copy
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import load, program, program_summary, python

import becomingone as b1
from becomingone import errors



def same(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    """Equal to the bit."""
    return a.tobytes() == b.tobytes()


def names(sim: b1.Simulation) -> list[str]:
    """All that can be read: an error lists it."""
    with pytest.raises(errors.UnknownName) as found:
        sim.reading("?")
    return re.findall(r"`([^`]+)`", str(found.value))[1:]


# Results


@pytest.fixture(scope="module")
def hash_of_20_s(tmp_path_factory: pytest.TempPathFactory) -> str:
    summary = program_summary(
        tmp_path_factory.mktemp("program"), "robot", "--seed", "7", "--duration", "20s"
    )
    assert summary["ticks"] == 20_000
    return str(summary["state_hash"])


def test_a_run_has_the_hash_of_the_program(hash_of_20_s: str) -> None:
    summary = b1.run("robot", seed=7, duration=20)
    assert summary.state_hash == hash_of_20_s
    assert (summary.scene, summary.seed, summary.ticks) == ("warehouse_robot", 7, 20_000)


def test_threads_change_no_bit(hash_of_20_s: str) -> None:
    assert b1.run("robot", seed=7, duration=20, threads=2).state_hash == hash_of_20_s


def test_odd_pieces_readings_and_a_reset_change_no_bit(hash_of_20_s: str) -> None:
    with b1.Simulation("robot", seed=3) as sim:
        sim.drive("rover", 0.7, 0.4)
        sim.step(1234)
        sim.fault("rover/imu/gyro_z", "Bias(0.1)")
        sim.step(99)
        sim.reset(seed=7)
        assert sim.ticks == 0 and sim.time == 0.0
        left, piece = 20_000, 1
        while left > 0:
            sim.step(min(piece, left))
            sim.reading("rover/lidar", copy=bool(piece % 2))
            left -= min(piece, left)
            piece = piece * 2 + 1
        assert sim.ticks == 20_000
        assert sim.state_hash == hash_of_20_s


def test_it_runs_from_another_thread_as_from_its_own(hash_of_20_s: str) -> None:
    found: list[str] = []
    with b1.Simulation("robot", seed=7) as sim:
        thread = threading.Thread(target=lambda: found.append(sim.run(20.0).state_hash))
        thread.start()
        thread.join(60)
    assert found == [hash_of_20_s]


def test_a_reset_without_a_seed_repeats_the_run() -> None:
    with b1.Simulation("robot", seed=11) as sim:
        sim.step(500)
        first = sim.state_hash
        sim.reset()
        sim.step(500)
        assert sim.state_hash == first
        sim.reset(seed=12)
        sim.step(500)
        assert sim.state_hash != first
        sim.reset()
        assert sim.summary().seed == 12


def test_a_run_in_two_halves_is_one_run() -> None:
    with b1.Simulation("robot", seed=7) as sim:
        assert sim.run(0.5).ticks == 500
        assert sim.run(0.5).ticks == 1000
        halves = sim.state_hash
    assert b1.run("robot", seed=7, duration=1.0).state_hash == halves


@pytest.mark.parametrize("scene", sorted(set(b1.scenes())))
def test_every_built_in_scene_runs_and_can_be_read(scene: str) -> None:
    with b1.Simulation(scene) as sim:
        sim.step(5)
        assert sim.ticks == 5
        for name in names(sim):
            values, sensor = sim.reading(name), sim.sensor(name)
            assert values.shape == (len(sensor.fields),) == (len(sensor.units),)


# Time


def test_time_ticks_and_done_agree() -> None:
    with b1.Simulation("robot", seed=7, duration=0.01) as sim:
        assert (sim.ticks, sim.time, sim.tick_s, sim.done) == (0, 0.0, 0.001, False)
        sim.step(9)
        assert (sim.ticks, sim.done) == (9, False)
        sim.step()
        assert (sim.ticks, sim.done) == (10, True)
        assert sim.time == pytest.approx(0.01)
        sim.step(5)
        assert sim.ticks == 15, "a step goes on after the end"
        assert sim.run().ticks == 15, "a run does not"


def test_step_zero_does_nothing() -> None:
    with b1.Simulation("robot", seed=7) as sim:
        before = sim.state_hash
        sim.step(0)
        assert (sim.ticks, sim.state_hash) == (0, before)


# Readings


def test_every_name_is_finite_after_a_second() -> None:
    with b1.Simulation("robot", seed=7) as sim:
        everything = names(sim)
        assert {"rover/pose", "rover/imu", "rover/lidar", "rover/kernel"} <= set(everything)
        sim.step(1000)
        for name in everything:
            if name not in ("rover/kernel", "rover/lidar"):  # it learns; rays that meet nothing
                assert np.isfinite(sim.reading(name)).all(), name
        truth = sim.truth("rover/imu")
        assert truth.shape == (6,) and not same(truth, sim.reading("rover/imu"))
        assert same(truth, sim.reading("rover/imu/truth"))


def test_numbers_before_the_first_reading_are_nan() -> None:
    with b1.Simulation("robot", seed=7) as sim:
        assert np.isnan(sim.reading("rover/lidar")).all()
        sim.step(200)
        assert not np.isnan(sim.reading("rover/lidar")).all()
        sim.reset()
        assert np.isnan(sim.reading("rover/lidar")).all()


def test_a_copy_stays_as_it_was() -> None:
    with b1.Simulation("robot", seed=7) as sim:
        sim.step(100)
        kept = sim.reading("rover/imu")
        was = kept.tobytes()
        sim.step(10)
        assert kept.tobytes() == was and not same(sim.reading("rover/imu"), kept)
    assert kept.tobytes() == was
    assert not kept.flags.writeable


def test_a_view_has_one_address_and_each_step_overwrites_it() -> None:
    with b1.Simulation("robot", seed=7) as sim:
        view = sim.reading("rover/imu", copy=False)
        address = view.ctypes.data
        for name in names(sim):  # more names move nothing
            sim.reading(name, copy=False)
        for ticks in (1, 10, 100):
            sim.step(ticks)
            again = sim.reading("rover/imu", copy=False)
            assert again is view and again.ctypes.data == address
            assert same(view, sim.reading("rover/imu"))
        sim.reset()
        assert view.ctypes.data == address and np.isnan(view).all()
        assert sim.run(0.1).ticks == 100
        assert same(view, sim.reading("rover/imu")) and np.isfinite(view).all()


def test_a_view_cannot_be_written_to() -> None:
    with b1.Simulation("robot", seed=7) as sim:
        view = sim.reading("rover/imu", copy=False)
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 1.0
        with pytest.raises(ValueError, match="read-only"):
            np.add(view, 1.0, out=view)


def test_a_view_cannot_be_forced_open() -> None:
    with b1.Simulation("robot", seed=7) as sim:
        view = sim.reading("rover/imu", copy=False)
        with pytest.raises(ValueError, match="cannot set"):
            view.setflags(write=True)
        sim.step(10)
        assert same(view, sim.reading("rover/imu"))


def test_a_view_outlives_its_simulation() -> None:
    sim = b1.Simulation("robot", seed=7)
    view = sim.reading("rover/imu", copy=False)
    sim.step(10)
    was = view.tobytes()
    sim.close()
    del sim
    assert view.tobytes() == was


# Errors


def test_unknown_names_list_what_is_there() -> None:
    with b1.Simulation("robot", seed=7) as sim:
        with pytest.raises(errors.UnknownName, match=r"did you mean `rover/imu`"):
            sim.reading("rover/imus")
        for call in (
            lambda: sim.sensor("nope"),
            lambda: sim.truth("rover/nope"),
            lambda: sim.truth("rover/pose"),
            lambda: sim.agent("nope"),
            lambda: sim.drive("nope", 0.0, 0.0),
            lambda: sim.stop_agent("nope"),
            lambda: sim.go_to("rover", "nope"),
            lambda: sim.controller("nope", lambda _: None, rate_hz=20),
        ):
            with pytest.raises(errors.UnknownName):
                call()
        assert issubclass(errors.UnknownName, LookupError)


def test_a_wrong_scene_names_file_line_and_column(tmp_path: Path) -> None:
    file = tmp_path / "wrong.ron"
    file.write_text('(\n    version: 1,\n    nmae: "x",\n)\n')
    for call in (b1.Scene(file).check, lambda: b1.Simulation(file), lambda: b1.run(file)):
        with pytest.raises(errors.SceneError, match="wrong.ron:3:5") as found:
            call()
        assert (found.value.file, found.value.line, found.value.column) == (str(file), 3, 5)
        assert "`name`" in found.value.diagnostics[0].message
        again = pickle.loads(pickle.dumps(found.value))
        assert (str(again), again.diagnostics) == (str(found.value), found.value.diagnostics)


def test_all_errors_of_a_scene_are_there() -> None:
    with pytest.raises(errors.SceneError) as found:
        b1.Scene(
            "robot", set={"agents.rover.controller.speed_m_s": -1, "agents.rover.position_m": [1e9, 0, 0]}
        ).check()
    assert len(found.value.diagnostics) == 2, str(found.value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("agents.rover.nope", 1),
        ("agents.nope.yaw_rad", 1),
        ("agents.rover.controller.speed_m_s", "fast"),
        ("agents.rover.controller.speed_m_s", -1),
        ("agents.rover.controller.speed_m_s", float("nan")),
        ("agents.rover.controller.speed_m_s", "("),
        ("", 1),
        ("agents..", 1),
        ("seed", -1),
        ("tick_ns", 0),
        ("seed=3; x", 1),
    ],
)
def test_a_wrong_set_says_which(path: str, value: b1.scene.Value) -> None:
    with pytest.raises(errors.SceneError, match="--set 1"):
        b1.Scene("robot", set={path: value}).check()


@pytest.mark.parametrize("what", ["nope", "", "nope.ron", "/", "a\0b", "\N{SNOWMAN}.yaml"])
def test_what_is_no_scene_is_a_scene_error(what: str) -> None:
    with pytest.raises(errors.SceneError):
        b1.Simulation(what)


@pytest.mark.parametrize("what", [5, None, b"robot", ["robot"], object()])
def test_a_scene_of_a_wrong_type_is_a_type_error(what: Any) -> None:
    with pytest.raises((TypeError, errors.SceneError)):
        b1.Simulation(what)


@pytest.mark.parametrize(
    "wrong",
    [
        {"seed": -1},
        {"seed": 2**64},
        {"seed": 1.5},
        {"seed": "1"},
        {"duration": -1.0},
        {"duration": float("nan")},
        {"duration": float("inf")},
        {"duration": "1"},
        {"threads": 0},
        {"threads": -1},
        {"rate": -1.0},
        {"rate": float("nan")},
        {"serve": -1},
        {"serve": 65536},
        {"display": "windows"},
        {"display": "nope=x"},
        {"record": 5},
    ],
)
def test_wrong_arguments_say_what_is_expected(wrong: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError), match="expected"):
        b1.Simulation("robot", **wrong)


@pytest.mark.parametrize("ticks", [-1, -(2**70), 2**70, float("nan")])
def test_no_step_has_a_wrong_number_of_ticks(ticks: Any) -> None:
    with b1.Simulation("robot", seed=7) as sim:
        for _ in range(2):  # without and with a controller
            with pytest.raises(ValueError, match="ticks; expected"):
                sim.step(ticks)
            sim.controller("rover", lambda _: None, rate_hz=20)
        assert sim.ticks == 0


@pytest.mark.parametrize("ticks", [1.5, "1", None, [1]])
def test_ticks_are_whole_numbers(ticks: Any) -> None:
    with b1.Simulation("robot", seed=7) as sim:
        for _ in range(2):
            with pytest.raises(TypeError):
                sim.step(ticks)
            sim.controller("rover", lambda _: None, rate_hz=20)
        assert sim.ticks == 0


@pytest.mark.parametrize("duration", [-1.0, float("nan"), float("inf"), "1"])
def test_no_run_has_a_wrong_duration(duration: Any) -> None:
    with b1.Simulation("robot", seed=7, duration=0.01) as sim:
        with pytest.raises((ValueError, TypeError), match="duration"):
            sim.run(duration)
        assert sim.ticks == 0


def test_commands_that_are_not_finite_are_refused() -> None:
    with b1.Simulation("robot", seed=7) as sim:
        for wrong in (float("nan"), float("inf"), -float("inf")):
            for call in (
                lambda: sim.drive("rover", wrong, 0.0),
                lambda: sim.drive("rover", 0.0, wrong),
                lambda: sim.steer("rover", wrong, 0.0),
                lambda: sim.joints("rover", [wrong]),
                lambda: sim.go_to("rover", (wrong, 0.0)),
                lambda: sim.set("rover", "controller.speed_m_s", wrong),
                lambda: sim.fault("rover/imu", "Freeze", for_s=wrong),
            ):
                with pytest.raises(ValueError):
                    call()
        sim.step(10)
        assert np.isfinite(sim.reading("rover/pose")).all()


def test_refused_says_why() -> None:
    with b1.Simulation("robot", seed=7) as sim:
        for call in (
            lambda: sim.steer("rover", 1.0, 0.0),
            lambda: sim.joints("rover", [1.0]),
            lambda: sim.set("rover", "nope", 1.0),
            lambda: sim.fault("rover/nope", "Freeze"),
            lambda: sim.fault("rover/imu", "Nope"),
            lambda: sim.fault("rover/imu", "Freeze", for_s=-1.0),
            lambda: sim.fault("rover", "Freeze"),
            lambda: sim.clear_stop("rover"),
        ):
            with pytest.raises(errors.Refused, match="expected|found"):
                call()
        assert issubclass(errors.Refused, RuntimeError)


def test_a_wrong_request_is_a_value_error() -> None:
    with b1.Simulation("robot", seed=7) as sim:
        for wrong in ({"Nope": 1}, {}, "Nope", {"Twist": {}}, {"Twist": {"linear_m_s": "x"}}, {"Twist": None}):
            with pytest.raises(ValueError, match="found the request"):
                sim.command("rover", wrong)
        with pytest.raises(TypeError):
            sim.command("rover", {"Twist": object()})


def test_more_requests_than_the_queue_holds_are_refused() -> None:
    with b1.Simulation("robot", seed=7) as sim:
        with pytest.raises(errors.Refused, match="1024"):
            for _ in range(2000):
                sim.drive("rover", 0.1, 0.0)
        sim.step()
        sim.drive("rover", 0.1, 0.0)


def test_numpy_numbers_are_numbers() -> None:
    with b1.Simulation("robot", seed=np.int64(7), duration=np.float32(0.5)) as sim:
        sim.drive("rover", np.float32(0.5), np.float64(0.1))
        sim.go_to("rover", tuple(np.array([1.0, 2.0], dtype=np.float32)))
        sim.step(np.int32(10))
        assert sim.ticks == 10


# What commands do


def test_a_drive_moves_the_agent() -> None:
    with b1.Simulation("robot", seed=7) as sim:
        sim.step(100)
        x = sim.reading("rover/pose")[0]
        for _ in range(10):
            sim.drive("rover", 0.5, 0.0)
            sim.step(100)
        assert sim.reading("rover/pose")[0] > x + 0.2


def test_a_fault_bends_the_reading_and_not_the_truth() -> None:
    with b1.Simulation("robot", seed=7) as sim:
        sim.step(100)
        sim.fault("rover/imu/gyro_z", "Bias(0.5)")
        sim.step(100)
        assert sim.reading("rover/imu")[2] - sim.truth("rover/imu")[2] == pytest.approx(0.5, abs=0.1)
        sim.end_faults("rover")
        sim.step(100)
        assert sim.reading("rover/imu")[2] - sim.truth("rover/imu")[2] == pytest.approx(0.0, abs=0.1)


def test_a_stop_latches_until_it_is_cleared() -> None:
    with b1.Simulation("robot", seed=7) as sim:
        sim.step(2000)
        sim.stop_agent("rover")
        sim.step(2000)
        x = sim.reading("rover/pose").copy()
        sim.step(500)
        assert np.allclose(x, sim.reading("rover/pose"), atol=1e-3)
        sim.clear_stop("rover")
        sim.step(2000)
        assert np.hypot(*(sim.reading("rover/pose") - x)[:2]) > 0.2


def test_a_parameter_of_the_controller_can_be_set() -> None:
    with b1.Simulation("robot", seed=7) as sim:
        sim.set("rover", "controller.speed_m_s", 0.3)
        sim.step(2500)
        assert sim.summary()["rover"].max_speed_m_s < 0.5


def test_a_picture_has_the_size_that_was_asked_for() -> None:
    with b1.Simulation("robot", seed=7) as sim:
        picture = sim.picture(width=64, height=48)
        assert picture.shape == (48, 64, 3) and picture.dtype == np.uint8 and picture.std() > 0
        for wrong in ({"width": 15}, {"height": 4096}, {"width": -5}, {"yaw_rad": float("nan")}, {"agent": "no"}):
            with pytest.raises(ValueError, match="expected"):
                sim.picture(**wrong)


# Stop, close, with


@pytest.mark.parametrize("has_controller", [False, True])
def test_another_thread_stops_a_run(has_controller: bool) -> None:
    with b1.Simulation("robot", seed=7, rate=1.0) as sim:
        if has_controller:
            sim.controller("rover", lambda _: (0.1, 0.0), rate_hz=20)
        timer = threading.Timer(0.3, sim.stop)
        timer.start()
        began = time.monotonic()
        ticks = sim.run(1000.0).ticks
        assert time.monotonic() - began < 5.0
        assert 0 < ticks < 10_000
        timer.join()
        # It ended that run, not later ones.
        assert sim.run(0.1).ticks == pytest.approx(ticks + 100, abs=1)


@pytest.mark.parametrize("has_controller", [False, True])
def test_a_rate_paces_a_run(has_controller: bool) -> None:
    with b1.Simulation("robot", seed=7, rate=2.0) as sim:
        if has_controller:
            sim.controller("rover", lambda _: None, rate_hz=20)
        began = time.monotonic()
        sim.run(1.0)
        assert 0.45 < time.monotonic() - began < 0.7 + load()


@pytest.mark.parametrize("has_controller", [False, True])
def test_a_stop_without_a_run_ends_the_next_one_at_its_start(has_controller: bool) -> None:
    with b1.Simulation("robot", seed=7) as sim:
        if has_controller:
            sim.controller("rover", lambda _: None, rate_hz=20)
        sim.stop()
        assert sim.run(0.1).ticks == 0
        assert sim.run(0.1).ticks == 100


def test_a_stop_does_not_end_a_step() -> None:
    with b1.Simulation("robot", seed=7) as sim:
        timer = threading.Timer(0.05, sim.stop)
        timer.start()
        sim.step(10_000)
        timer.join()
        assert sim.ticks == 10_000


def test_a_stop_of_an_agent_acts_during_a_step_of_another_thread() -> None:
    with b1.Simulation("robot", seed=7) as sim:
        thread = threading.Thread(target=sim.step, args=(20_000,))
        thread.start()
        time.sleep(0.1)
        sim.stop_agent("rover")
        thread.join(60)
        assert sim.ticks == 20_000
        assert sim.summary()["rover"].distance_m < 18.0


def test_use_after_close_raises_closed() -> None:
    sim = b1.Simulation("robot", seed=7)
    sim.controller("rover", lambda _: None, rate_hz=20)
    sim.step(5)
    sim.close()
    sim.close()
    for call in (
        lambda: sim.step(),
        lambda: sim.step(0),
        lambda: sim.run(1.0),
        lambda: sim.reset(),
        lambda: sim.reading("rover/imu"),
        lambda: sim.reading("rover/imu", copy=False),
        lambda: sim.truth("rover/imu"),
        lambda: sim.sensor("rover/imu"),
        lambda: sim.drive("rover", 0.1, 0.0),
        lambda: sim.agent("rover"),
        lambda: sim.picture(),
        lambda: sim.summary(),
        lambda: sim.state_hash,
        lambda: sim.done,
        lambda: sim.ticks,
        lambda: sim.time,
        lambda: sim.tick_s,
        lambda: sim.scene,
        lambda: sim.page,
    ):
        with pytest.raises(errors.Closed):
            call()
    assert sim.url is None
    sim.stop()


def test_a_stop_of_an_agent_after_close_raises_closed() -> None:
    sim = b1.Simulation("robot", seed=7)
    sim.close()
    with pytest.raises(errors.Closed):
        sim.stop_agent("rover")


def test_with_closes_also_after_an_error() -> None:
    with pytest.raises(KeyError):
        with b1.Simulation("robot", seed=7) as sim:
            raise KeyError("mine")
    with pytest.raises(errors.Closed):
        sim.step()


def test_close_during_a_step_of_another_thread_is_refused() -> None:
    sim = b1.Simulation("robot", seed=7)
    thread = threading.Thread(target=sim.step, args=(20_000,))
    thread.start()
    time.sleep(0.1)
    with pytest.raises(RuntimeError, match="another thread"):
        sim.close()
    thread.join(60)
    assert sim.ticks == 20_000
    sim.close()


def test_a_dropped_simulation_ends_its_thread() -> None:
    def threads() -> int:
        return len(os.listdir("/proc/self/task"))

    before = threads()
    for _ in range(5):
        b1.Simulation("robot", seed=7).step(5)
    assert threads() <= before + 1


# Threads


def test_two_threads_at_once_get_a_clear_error() -> None:
    found: list[BaseException] = []

    def worker(sim: b1.Simulation) -> None:
        for _ in range(50):
            try:
                sim.step(50)
            except RuntimeError as error:
                found.append(error)

    with b1.Simulation("robot", seed=7) as sim:
        threads = [threading.Thread(target=worker, args=(sim,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        done = 200 - len(found)
        assert sim.ticks == done * 50
        assert found and all("one call at a time" in str(error) for error in found)


def test_simulations_of_many_threads_do_not_meet() -> None:
    alone = b1.run("robot", seed=5, duration=1.0).state_hash
    found: list[str] = []
    work: Callable[[], None] = lambda: found.append(b1.run("robot", seed=5, duration=1.0).state_hash)
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [alone] * 8


def test_another_python_thread_keeps_its_speed_during_a_step() -> None:
    """Beside it, the same step is done by another process: both share the processors alike, and what is left is the
    interpreter's lock. Under load, the scheduler's shares differ by more than the lock costs: then 60 %."""
    code = """
import sys, threading, time, becomingone as b1
over, counts = threading.Event(), []
def counter():
    n = 0
    while not over.is_set():
        n += 1
    counts.append(n)
sim = b1.Simulation("robot", seed=7)
here = sys.argv[1] == "here"
print("ready", flush=True)
sys.stdin.readline()
thread = threading.Thread(target=counter)
thread.start()
until = time.monotonic() + 2.0
while time.monotonic() < until:
    if here:
        sim.step(2000)
    else:
        time.sleep(0.05)
over.set()
thread.join()
print(counts[0] / (time.monotonic() - until + 2.0), flush=True)
"""

    def start(how: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout and process.stdout.readline() == "ready\n"
        return process

    def ends(process: subprocess.Popen[str]) -> float:
        out, _ = process.communicate("\n", timeout=60)
        return float(out)

    free = []
    for _ in range(2):
        with b1.Simulation("robot", seed=7) as sim:
            process, over = start("there"), threading.Event()

            def beside() -> None:
                while not over.is_set():
                    sim.step(2000)

            thread = threading.Thread(target=beside)
            thread.start()
            free.append(ends(process))
            over.set()
            thread.join(60)
        if len(free) == 1:
            locked = ends(start("here"))
    share = locked / (sum(free) / len(free))
    bound = 0.8 if load() < 0.75 else 0.6
    print(f"\nanother thread: {share:.0%} of {free[0]:.3g} counts/s; bound {bound:.0%} at a load of {load():.1f} a processor")
    assert share > bound


# Signals


INTERRUPTED = """
import signal, sys, time
import becomingone as b1
{make}
print("ready", flush=True)
try:
    {wait}
except KeyboardInterrupt:
    print(time.monotonic())
    sys.stdout.flush()
    {whole}
    print("whole")
"""


def interrupt(make: str, wait: str, whole: str) -> tuple[float, str]:
    """Sends SIGINT in the middle of a wait; returns after how long (s) it was seen, and what else was printed."""
    code = INTERRUPTED.format(make=make, wait=wait, whole=whole)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "ready\n"
    time.sleep(0.5)
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0, out
    seen, rest = out.split("\n", 1)
    return float(seen) - sent, rest


def in_time(seconds: float) -> None:
    """200 ms; under load, as many times as there are processes for a processor."""
    bound = 0.2 * max(1.0, load())
    print(f"\nCtrl-C was seen after {seconds * 1e3:.0f} ms; bound {bound * 1e3:.0f} ms at a load of {load():.1f} a processor")
    assert seconds < bound


def test_ctrl_c_ends_a_long_step_and_the_simulation_is_whole() -> None:
    seconds, out = interrupt(
        'sim = b1.Simulation("robot", seed=7); view = sim.reading("rover/imu", copy=False)',
        "sim.step(10**8)",
        """ticks = sim.ticks
    assert ticks > 0 and view.tobytes() == sim.reading("rover/imu").tobytes()
    hash_then = sim.state_hash
    alone = b1.Simulation("robot", seed=7)
    alone.step(ticks)
    assert alone.state_hash == hash_then
    sim.step(100); alone.step(100)
    assert sim.ticks == ticks + 100 and alone.state_hash == sim.state_hash""",
    )
    assert out == "whole\n"
    in_time(seconds)


def test_ctrl_c_ends_a_run() -> None:
    seconds, out = interrupt(
        'sim = b1.Simulation("robot", seed=7, rate=1.0)', "sim.run(10**6)", "assert sim.ticks > 0; sim.run(0.01)"
    )
    assert out == "whole\n"
    in_time(seconds)


def test_ctrl_c_ends_a_step_with_a_controller() -> None:
    seconds, out = interrupt(
        'sim = b1.Simulation("robot", seed=7); sim.controller("rover", lambda s: (0.1, 0.0), rate_hz=20)',
        "sim.step(10**8)",
        "t = sim.ticks; assert t > 0; sim.step(7); assert sim.ticks == t + 7",
    )
    assert out == "whole\n"
    in_time(seconds)


def test_ctrl_c_ends_a_step_of_a_batch() -> None:
    seconds, out = interrupt(
        'batch = b1.BatchSimulation("robot", 4, observe=["rover/pose"])',
        "batch.step(10**8)",
        "seen = batch.observations.copy(); batch.step(0); assert (seen == batch.observations).all()\n"
        "    batch.reset(); batch.step(10)\n"
        '    alone = b1.Simulation("robot", seed=2); alone.step(10)\n'
        "    assert batch.state_hashes()[2] == alone.state_hash",
    )
    assert out == "whole\n"
    in_time(seconds)


def test_a_handler_of_a_signal_that_does_not_raise_ends_nothing() -> None:
    done = python(
        "import signal, threading, os, becomingone as b1\n"
        "seen = []\n"
        "signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))\n"
        "threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1)).start()\n"
        "sim = b1.Simulation('robot', seed=7)\n"
        "while not seen: sim.step(10_000)\n"
        "assert sim.ticks % 10_000 == 0\n"
        "print('whole')"
    )
    assert done.stdout == "whole\n", done.stderr


# Forks and pickles


def test_a_forked_child_gets_an_error_and_ends() -> None:
    """Also when it collects the objects, when its parent steps meanwhile, and at its exit."""
    done = python(
        """
import gc, os, threading, time
import becomingone as b1
sim = b1.Simulation("robot", seed=7)
batch = b1.BatchSimulation("robot", 2, observe=["rover/pose"], agent="rover")
stepping = b1.Simulation("robot", seed=8)
thread = threading.Thread(target=stepping.step, args=(30_000,))
thread.start()
time.sleep(0.05)
child = os.fork()
if child == 0:
    began = time.monotonic()
    calls = [sim.step, lambda: sim.step(0), lambda: sim.run(1.0), sim.reset, sim.close, sim.summary, lambda: sim.time,
             lambda: sim.reading("rover/imu"), lambda: sim.drive("rover", 0.1, 0.0), stepping.step, stepping.close,
             batch.step, batch.close, batch.reset, batch.summaries, lambda: batch.step(1, [[0.0, 0.0]] * 2)]
    for k, call in enumerate(calls):
        try:
            call()
        except RuntimeError as error:
            if "fork" not in str(error):
                os._exit(100 + k)
        else:
            os._exit(10 + k)
    if time.monotonic() - began > 1.0:
        os._exit(2)
    sim = batch = stepping = None
    gc.collect()
    new = b1.Simulation("robot", seed=7)
    new.step(10)
    if new.ticks != 10:
        os._exit(3)
    raise SystemExit(42)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 42, os.waitstatus_to_exitcode(status)
thread.join()
sim.step(10)
assert sim.ticks == 10 and stepping.ticks == 30_000
print("whole")
""",
        timeout=60,
    )
    assert done.stdout == "whole\n", done.stderr


def test_a_forked_child_cannot_stop_an_agent_of_its_parent() -> None:
    done = python(
        """
import os, becomingone as b1
sim = b1.Simulation("robot", seed=7)
child = os.fork()
if child == 0:
    try:
        sim.stop_agent("rover")
    except RuntimeError:
        os._exit(42)
    os._exit(1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    )
    assert done.stdout == "42\n", done.stderr


def test_multiprocessing_by_spawn_and_by_fork_makes_its_own() -> None:
    done = python(
        """
import multiprocessing, becomingone as b1
def work(seed):
    return b1.run("robot", seed=seed, duration=0.2).state_hash
if __name__ == "__main__":
    here = [work(seed) for seed in range(3)]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(work, range(3)) == here
    print("whole")
"""
    )
    assert done.stdout == "whole\n", done.stderr


def test_what_runs_cannot_be_pickled_and_says_how() -> None:
    with b1.Simulation("robot", seed=7) as sim, b1.BatchSimulation("robot", 1, observe=[]) as batch:
        for one in (sim, batch, b1.Monitor(2)):
            for how in (pickle.dumps, copy.copy, copy.deepcopy):
                with pytest.raises(TypeError, match="expected .*ma[dk]e.* where it is used"):
                    how(one)
        sim.step(1)


def test_scenes_and_summaries_can_be_pickled() -> None:
    scene = pickle.loads(pickle.dumps(b1.Scene("robot", set={"agents.rover.controller.speed_m_s": 0.5})))
    summary = b1.run(scene, seed=7, duration=0.1)
    assert pickle.loads(pickle.dumps(summary)) == summary


# Controllers


def test_a_controller_is_called_at_its_rate_and_never_late() -> None:
    with b1.Simulation("robot", seed=7) as sim:
        times: list[int] = []
        sim.controller("rover", lambda s: times.append(s.ticks), rate_hz=20)
        sim.step(1000)
        assert times == list(range(0, 1000, 50))
        sim.step(1)
        assert times[-1] == 1000
        sim.run(0.999)
        assert times == list(range(0, 2000, 50))


def test_the_pieces_of_a_step_do_not_change_when_a_controller_is_called() -> None:
    def of(pieces: list[int]) -> tuple[list[int], str]:
        with b1.Simulation("robot", seed=7) as sim:
            times: list[int] = []

            def decide(s: b1.Simulation) -> tuple[float, float]:
                times.append(s.ticks)
                return 0.4, 0.1 * np.sin(s.time)

            sim.controller("rover", decide, rate_hz=30)
            for piece in pieces:
                sim.step(piece)
            return times, sim.state_hash

    whole = of([1000])
    assert whole == of([1] * 1000) == of([333, 1, 66, 600]) == of([7] * 142 + [6])
    assert len(whole[0]) == 30


def test_two_controllers_keep_their_own_rates() -> None:
    with b1.Simulation("robot", seed=7) as sim:
        calls = {20: 0, 50: 0}
        for rate in calls:
            def decide(_: b1.Simulation, rate: int = rate) -> None:
                calls[rate] += 1

            sim.controller("rover", decide, rate_hz=rate)
        sim.run(2.0)
        assert calls == {20: 40, 50: 100}


def test_a_controller_that_decides_nothing_changes_no_bit() -> None:
    with b1.Simulation("robot", seed=7, duration=2.0) as sim:
        sim.controller("rover", lambda _: None, rate_hz=20)
        assert sim.run().state_hash == b1.run("robot", seed=7, duration=2.0).state_hash


def test_what_a_controller_raises_comes_out_and_the_simulation_goes_on() -> None:
    class Mine(Exception):
        pass

    with b1.Simulation("robot", seed=7) as sim:
        calls = 0

        def decide(_: b1.Simulation) -> tuple[float, float]:
            nonlocal calls
            calls += 1
            if calls == 3:
                raise Mine("third")
            return 0.3, 0.0

        sim.controller("rover", decide, rate_hz=20)
        with pytest.raises(errors.CallbackError, match="rover: its function in Python: Mine: third") as raised:
            sim.step(1000)
        assert isinstance(raised.value.__cause__, Mine)
        assert sim.ticks == 100
        sim.step(900)
        assert (sim.ticks, calls) == (1000, 20)
        sim.reset()
        calls = 10
        sim.step(100)
        assert calls == 12


@pytest.mark.parametrize("decided", [(0.1,), (0.1, 0.2, 0.3), ("a", "b"), [0.1, 0.2], {"Nope": 1}, 5, (float("nan"), 0.0)])
def test_a_controller_that_decides_nonsense_gets_an_error(decided: Any) -> None:
    with b1.Simulation("robot", seed=7) as sim:
        sim.controller("rover", lambda _: decided, rate_hz=20)
        with pytest.raises(errors.CallbackError) as raised:
            sim.step(10)
        assert isinstance(raised.value.__cause__, TypeError | ValueError)
        assert sim.ticks == 0


@pytest.mark.parametrize("wrong", ["step", "run", "reset"])
def test_a_controller_cannot_step_run_or_reset(wrong: str) -> None:
    with b1.Simulation("robot", seed=7) as sim:
        sim.controller("rover", lambda s: getattr(s, wrong)(), rate_hz=20)
        with pytest.raises(RuntimeError, match="in a controller"):
            sim.step(10)


@pytest.mark.parametrize("rate_hz", [0.0, -1.0, 1.9, float("nan")])
def test_a_controller_has_a_rate_that_keeps_its_requests(rate_hz: float) -> None:
    with b1.Simulation("robot", seed=7) as sim:
        with pytest.raises(ValueError, match="expected 2 to"):
            sim.controller("rover", lambda _: None, rate_hz=rate_hz)


def test_a_controller_faster_than_the_tick_is_called_each_tick() -> None:
    with b1.Simulation("robot", seed=7) as sim:
        calls: list[int] = []
        for rate_hz in (3000.0, float(np.float32(1e5))):
            sim.controller("rover", lambda s: calls.append(s.ticks), rate_hz=rate_hz)
        sim.step(20)
        assert calls == [t for t in range(20) for _ in range(2)]


# Files, servers, the program


def test_a_recording_can_be_verified(tmp_path: Path) -> None:
    file = tmp_path / "run.mcap"
    with b1.Simulation("robot", seed=7, record=file) as sim:
        sim.step(300)
        sim.drive("rover", 0.4, 0.1)
        sim.fault("rover/imu/gyro_z", "Bias(0.1)", for_s=0.2)
        sim.step(700)
    done = program("replay", "--verify", str(file))
    assert done.returncode == 0, done.stderr
    b1.Recording(file).verify()
    assert b1.Recording(file).info()["ticks"] == 1000


def test_a_recording_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(errors.Error, match="cannot write the recording"):
        b1.Simulation("robot", record=tmp_path / "nope" / "run.mcap")


def test_its_server_answers_rest_during_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BECOMINGONE_TOKEN", "0123456789abcdef0123456789abcdef")
    with b1.Simulation("robot", seed=7, rate=1.0, serve=0) as sim:
        assert sim.url and re.fullmatch(r"http://127\.0\.0\.1:\d+", sim.url)
        assert sim.page and sim.page.startswith(sim.url)
        url = sim.url
        thread = threading.Thread(target=sim.run, args=(60.0,))
        thread.start()
        time.sleep(0.2)
        asked = urllib.request.Request(
            f"{url}/v1/agents/rover", headers={"Authorization": "Bearer 0123456789abcdef0123456789abcdef"}
        )
        with urllib.request.urlopen(asked, timeout=10) as answer:
            assert json.load(answer)["agent"] == "rover"
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{url}/v1/agents/rover", timeout=10)
        assert refused.value.code == 401
        refused.value.close()
        sim.stop()
        thread.join(30)
        assert not thread.is_alive()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{url}/v1/health", timeout=5)


def test_the_program_is_there_and_its_exit_status_passes_through() -> None:
    version = program("--version")
    assert (version.returncode, version.stdout) == (0, f"becomingone {b1.__version__}\n")
    assert program("run", "nope").returncode == 2
    assert program("--nope").returncode == 2
    assert program("run", "robot", "--duration", "0.1s", "--rerun", "off", "--quiet").returncode == 0


def test_ctrl_c_of_the_program_ends_it_as_a_shell_expects() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "becomingone", "run", "robot", "--real-time", "--rerun", "off", "--quiet"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(2.0)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
