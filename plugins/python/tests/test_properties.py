"""Random sequences of calls: no crash, only errors that are known, and the same calls give the same bits."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import becomingone as b1
from becomingone import errors

SEQUENCES = int(os.environ.get("BECOMINGONE_SEQUENCES", "300"))
KNOWN = (errors.Error, TypeError, ValueError, RuntimeError, KeyError)
"""What a call may raise."""



def sequences(count: int) -> settings:
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=SEQUENCES <= 300,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


whole = st.one_of(
    st.integers(0, 20), st.sampled_from([0, 1, -1, 2**63, 2**64, 2**70, -(2**63)]), st.floats(), st.none(), st.booleans()
)
number = st.one_of(
    st.floats(-2.0, 2.0), st.floats(), st.integers(-(2**70), 2**70), st.none(), st.text(max_size=3), st.booleans()
)
name = st.one_of(
    st.sampled_from(["rover/imu", "rover/pose", "rover/lidar", "rover/imu/truth", "rover/kernel", "rover/encoders"]),
    st.sampled_from(["rover", "/", "", "rover/", "rover/nope", "a\0b"]),
    st.text(max_size=5),
    st.integers(),
)
agent = st.one_of(st.just("rover"), st.text(max_size=4), st.none())

simulation_call = st.one_of(
    st.tuples(st.just("step"), st.integers(0, 20)),
    st.tuples(st.just("step"), whole),
    st.tuples(st.just("run"), st.one_of(st.floats(0.0, 0.02), st.sampled_from([-1.0, math.nan, math.inf, "x"]))),
    st.tuples(st.just("reset"), st.one_of(st.none(), st.integers(0, 3), whole)),
    st.tuples(st.just("reading"), name, st.booleans()),
    st.tuples(st.just("sensor"), name),
    st.tuples(st.just("truth"), name),
    st.tuples(st.just("drive"), agent, number, number),
    st.tuples(st.just("drive"), st.just("rover"), st.floats(-1.0, 1.0), st.floats(-1.0, 1.0)),
    st.tuples(st.just("steer"), agent, number, number),
    st.tuples(st.just("joints"), agent, st.lists(number, max_size=3)),
    st.tuples(st.just("go_to"), agent, st.one_of(st.tuples(number, number), st.text(max_size=3))),
    st.tuples(st.just("set"), agent, st.sampled_from(["controller.speed_m_s", "controller.nope", ""]), number),
    st.tuples(
        st.just("fault"),
        st.sampled_from(["rover/imu", "rover/imu/gyro_z", "rover/encoders", "rover", "", "x/y"]),
        st.sampled_from(["Freeze", "Bias(0.2)", "Bias(", "Nope", "", "DropOut", "Scale(2.0)"]),
    ),
    st.tuples(st.just("end_faults"), agent),
    st.tuples(st.just("stop_agent"), agent),
    st.tuples(st.just("clear_stop"), agent),
    st.tuples(st.just("command"), agent, st.one_of(st.text(max_size=5), st.dictionaries(st.text(max_size=5), number))),
    st.tuples(st.just("agent"), agent),
    st.tuples(st.just("stop")),
    st.tuples(st.just("summary")),
    st.tuples(st.just("picture")),
    st.tuples(st.just("close")),
)


def calls(most: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(simulation_call, max_size=most)


def called(sim: b1.Simulation, call: tuple[Any, ...]) -> Any:
    """Does a call; returns what it gave, or the name of its error."""
    what, *arguments = call
    if what == "stop_agent" and sim.__dict__.get("was_closed"):
        return None  # known: it is accepted after the end
    try:
        if what == "reading":
            found = sim.reading(arguments[0], copy=arguments[1])
            assert not found.flags.writeable and found.dtype == np.float64
            return found.tobytes()
        if what == "picture":
            return sim.picture(width=16, height=16).tobytes()
        if what == "close":
            sim.close()
            sim.was_closed = True  # type: ignore[attr-defined]
            return None
        result = getattr(sim, what)(*arguments)
        # A summary has the time that it took.
        return None if what in ("summary", "run") else repr(result)
    except KNOWN as error:
        return type(error).__name__


def replayed(sequence: list[tuple[Any, ...]]) -> tuple[list[Any], str | None]:
    """Does all calls; returns what they gave, and the hash at the end, if it is open."""
    with b1.Simulation("robot", seed=1) as sim:
        given, ticks, is_open = [], 0, True
        for call in sequence:
            given.append(called(sim, call))
            is_open = is_open and call[0] != "close"
            if not is_open:
                with pytest.raises(errors.Closed):
                    sim.ticks
                continue
            now = sim.ticks
            assert now >= ticks or call[0] == "reset", "time only grows"
            assert sim.time == pytest.approx(now * 0.001)
            if call[0] not in ("step", "run", "reset"):
                assert now == ticks
            ticks = now
        return given, sim.state_hash if is_open else None


@sequences(SEQUENCES)
@given(calls(12))
def test_a_simulation_withstands_any_calls(sequence: list[tuple[Any, ...]]) -> None:
    assert replayed(sequence) == replayed(sequence)


row = st.lists(st.one_of(st.floats(-1.0, 1.0), st.floats()), min_size=2, max_size=2)
batch_call = st.one_of(
    st.tuples(st.just("step"), whole, st.none(), st.none()),
    st.tuples(st.just("step"), st.integers(0, 10), st.lists(row, min_size=3, max_size=3), st.none()),
    st.tuples(
        st.just("step"),
        st.integers(0, 10),
        st.one_of(st.none(), st.lists(st.lists(number, max_size=3), max_size=4), number),
        st.one_of(st.lists(st.booleans(), min_size=3, max_size=3), st.lists(number, max_size=4)),
    ),
    st.tuples(
        st.just("reset"),
        st.one_of(st.none(), st.lists(st.booleans(), min_size=3, max_size=3), st.lists(number, max_size=4)),
        st.one_of(st.none(), st.integers(0, 5), st.lists(st.integers(0, 5), min_size=3, max_size=3), st.lists(whole), whole),
    ),
    st.tuples(st.just("names"), st.one_of(st.just("rover/pose"), name)),
    st.tuples(st.just("summaries")),
    st.tuples(st.just("picture"), whole),
    st.tuples(st.just("close")),
)


def batch_called(batch: b1.BatchSimulation, call: tuple[Any, ...]) -> Any:
    what, *arguments = call
    try:
        with np.errstate(all="ignore"):
            if what == "step":
                return batch.step(arguments[0], arguments[1], mask=arguments[2]).tobytes()
            if what == "reset":
                return batch.reset(mask=arguments[0], seed=arguments[1]).tobytes()
            if what == "names":
                return batch[arguments[0]].tobytes()
            if what == "picture":
                return batch.picture(arguments[0], width=16, height=16).tobytes()
            getattr(batch, what)()
            return None
    except (*KNOWN, OverflowError) as error:
        # numpy's own, for a number that no array holds
        assert not isinstance(error, OverflowError) or "Python int" in str(error), error
        return type(error).__name__


def batch_replayed(sequence: list[tuple[Any, ...]], threads: int) -> tuple[list[Any], Any]:
    with b1.BatchSimulation("robot", 3, observe=["rover/pose", "rover/imu"], agent="rover", threads=threads) as batch:
        given, address = [], batch.observations.ctypes.data
        for call in sequence:
            given.append(batch_called(batch, call))
            assert batch.observations.ctypes.data == address
        if any(call[0] == "close" for call in sequence):
            with pytest.raises(errors.Closed):
                batch.step()
            return given, None
        return given, (batch.state_hashes(), batch.seeds, batch.done.tolist())


@sequences(SEQUENCES // 3)
@given(st.lists(batch_call, max_size=8))
def test_a_batch_withstands_any_calls_on_any_threads(sequence: list[tuple[Any, ...]]) -> None:
    assert batch_replayed(sequence, 1) == batch_replayed(sequence, 2)


@sequences(SEQUENCES // 3)
@given(
    st.one_of(st.integers(1, 20), whole),
    st.lists(st.tuples(st.lists(number, max_size=4), st.lists(st.lists(number, max_size=4), max_size=4)), max_size=5),
)
def test_a_monitor_withstands_any_rows(channels: Any, pushes: list[Any]) -> None:
    try:
        monitor = b1.Monitor(channels)
    except KNOWN:
        return
    for t, rows in pushes:
        try:
            assert len(monitor.push(t, rows)) == len(t)
        except (*KNOWN, OverflowError) as error:
            assert not isinstance(error, OverflowError) or "int too large" in str(error)


@sequences(SEQUENCES // 3)
@given(st.recursive(number, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=8))
def test_a_scene_made_of_anything_is_an_error_or_a_scene(value: Any) -> None:
    for make in (
        lambda: b1.Scene({"version": 1, "agents": [], **value} if isinstance(value, dict) else {"agents": value}),
        lambda: b1.Scene("robot", set={"agents.rover.controller": value}),
        lambda: b1.Scene("robot", set={"world": value}),
    ):
        try:
            make().check()
        except KNOWN:
            pass


@pytest.mark.slow
@pytest.mark.skipif("BECOMINGONE_SEQUENCES" not in os.environ, reason="set BECOMINGONE_SEQUENCES")
def test_many_sequences_in_a_process_of_their_own() -> None:
    """A crash of it is seen here."""
    if os.environ.get("BECOMINGONE_SEQUENCES_INSIDE"):
        pytest.skip("this is that process")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__],
        env={**os.environ, "BECOMINGONE_SEQUENCES_INSIDE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, (done.returncode, done.stdout[-4000:], done.stderr[-2000:])
