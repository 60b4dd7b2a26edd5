"""The kernel alone: one batch is row by row."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest
from conftest import load, python

import becomingone as b1


def table(rows: int, channels: int, fault_at: int | None = None) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Channels that follow one another; from a row on, channel 0 deviates."""
    rng = np.random.default_rng(channels)
    t = np.arange(rows) * 0.02
    common = np.sin(t * 2.1) + 0.5 * np.sin(t * 0.37)
    x = np.stack([(k + 1.0) * common for k in range(channels)], axis=1)
    x += rng.normal(scale=0.05, size=x.shape)
    if fault_at is not None:
        x[fault_at:, 0] += 5.0
    return t, x


def same(a: b1.Verdicts, b: b1.Verdicts) -> bool:
    pairs = [(a.surprise, b.surprise), (a.alarm, b.alarm), (a.cause, b.cause), (a.shares, b.shares)]
    return all(x.tobytes() == y.tobytes() for x, y in pairs)


def joined(parts: list[b1.Verdicts]) -> b1.Verdicts:
    return b1.Verdicts(
        surprise=np.concatenate([part.surprise for part in parts]),
        alarm=np.concatenate([part.alarm for part in parts]),
        cause=np.concatenate([part.cause for part in parts]),
        shares=np.concatenate([part.shares for part in parts]),
        channels=parts[0].channels,
    )


@pytest.mark.parametrize("channels", [1, 8, 9, 16, 17, 64])
def test_one_batch_is_row_by_row_is_any_split(channels: int) -> None:
    t, x = table(900, channels, fault_at=700)
    whole = b1.Monitor(channels).push(t, x)
    assert len(whole) == 900 and whole.shares.shape == (900, channels)
    rows = b1.Monitor(channels)
    assert same(whole, joined([rows.push(t[k], x[k]) for k in range(900)]))
    split, monitor = [0, 1, 2, 399, 400, 401, 650, 900], b1.Monitor(channels)
    parts = [monitor.push(t[a:b], x[a:b]) for a, b in zip(split, split[1:], strict=False)]
    assert same(whole, joined(parts))


@pytest.mark.parametrize("channels", [2, 8, 9, 17, 64])
def test_a_fault_raises_an_alarm_and_is_isolated(channels: int) -> None:
    t, x = table(1200, channels, fault_at=900)
    monitor = b1.Monitor([f"c{k}" for k in range(channels)])
    assert not monitor.is_trained
    learned = monitor.push(t[:400], x[:400])
    assert np.isnan(learned.surprise[:-1]).all() and not learned.alarm.any() and (learned.cause == -1).all()
    assert monitor.is_trained
    healthy = monitor.push(t[400:900], x[400:900])
    if channels <= 17:  # 400 rows are few for 64 channels
        assert healthy.alarm.mean() < 0.05
    faulty = monitor.push(t[900:], x[900:])
    assert faulty.alarm.any()
    assert faulty.cause[faulty.alarm][0] in range(-1, channels)
    assert faulty.channels[0] == "c0"


def test_a_fault_of_one_channel_among_three_is_named() -> None:
    t, x = table(1200, 3, fault_at=900)
    monitor = b1.Monitor(["a", "b", "c"])
    verdicts = monitor.push(t, x)
    named = verdicts.cause[900:][verdicts.alarm[900:]]
    assert len(named) and (named == 0).mean() > 0.8


@pytest.mark.parametrize("channels", [0, -1, 65, 10**12, [], ["x"] * 65, 1.5, None, "imu", object()])
def test_wrong_numbers_of_channels_are_errors(channels: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="channels"):
        b1.Monitor(channels)


def test_names_and_numpy_numbers_are_taken() -> None:
    assert b1.Monitor(np.int64(3)).channels == ("0", "1", "2")
    assert b1.Monitor(("left", "right")).channels == ("left", "right")
    assert b1.Monitor(2).push(0.0, [1.0, 2.0]).channels == ("0", "1")


@pytest.mark.parametrize(
    ("t", "x"),
    [
        (0.0, [1.0]),
        (0.0, [1.0, 2.0, 3.0]),
        ([0.0, 1.0], [1.0, 2.0]),
        ([0.0], [[1.0, 2.0]] * 2),
        ([[0.0]], [[1.0, 2.0]]),
        (0.0, [[[1.0, 2.0]]]),
        (0.0, ["a", "b"]),
        ("now", [1.0, 2.0]),
        (0.0, [object(), 1.0]),
        (0.0, 1.0),
    ],
)
def test_wrong_shapes_are_errors_and_change_nothing(t: Any, x: Any) -> None:
    monitor, other = b1.Monitor(2), b1.Monitor(2)
    with pytest.raises((ValueError, TypeError)):
        monitor.push(t, x)
    times, rows = table(600, 2)
    assert same(monitor.push(times, rows), other.push(times, rows))


def test_no_rows_are_no_verdicts() -> None:
    monitor = b1.Monitor(2)
    verdicts = monitor.push(np.zeros(0), np.zeros((0, 2)))
    assert len(verdicts) == 0 and verdicts.shares.shape == (0, 2)


@pytest.mark.parametrize("wrong", [0.0, 6.0, np.nan, np.inf, -np.inf])
def test_a_time_that_is_not_later_is_refused(wrong: float) -> None:
    t, x = table(500, 2)
    t[:300] = np.arange(300) * 0.02
    monitor = b1.Monitor(2)
    monitor.push(t[:300], x[:300])
    last = t[299]
    with pytest.raises(ValueError, match="expected later"):
        monitor.push(wrong if wrong != 6.0 else last, x[300])
    # Nothing was taken: it goes on.
    assert len(monitor.push(last + 0.02, x[300])) == 1
    monitor.rebaseline()
    assert len(monitor.push(0.0, x[301])) == 1


def test_missing_values_and_odd_ones_are_never_passed_on() -> None:
    t, x = table(1500, 4)
    x[::17, 1] = np.nan
    x[::29, 2] = np.inf
    x[500:520, 3] = -np.inf
    x[600] = 1e308
    x[601] = -1e308
    x[1100:1200] = np.nan
    verdicts = b1.Monitor(4).push(t, x)
    assert len(verdicts) == 1500
    rows = b1.Monitor(4)
    assert same(verdicts, joined([rows.push(t[k], x[k]) for k in range(1500)]))
    judged = verdicts.surprise[~np.isnan(verdicts.surprise)]
    assert len(judged) and np.isfinite(judged).all(), "NaN or infinity came out"


def test_any_layout_and_type_of_numbers_is_taken() -> None:
    t, x = table(600, 3)
    t, x = t.astype(np.float32), x.astype(np.float32)
    first = b1.Monitor(3).push(t, x)
    assert same(first, b1.Monitor(3).push(t.astype(float), np.asfortranarray(x)))
    assert same(first, b1.Monitor(3).push(np.repeat(t, 2)[::2], np.repeat(np.repeat(x, 2, 0), 2, 1)[::2, ::2]))
    assert same(first, b1.Monitor(3).push(t.tolist(), x.tolist()))


def test_rebaseline_learns_again() -> None:
    t, x = table(500, 3)
    monitor = b1.Monitor(3)
    monitor.push(t, x)
    assert monitor.is_trained
    monitor.rebaseline()
    assert not monitor.is_trained
    assert np.isnan(monitor.push(t[-1] + 1.0, x[0]).surprise).all()


def test_two_threads_at_once_get_an_error_or_their_turn() -> None:
    monitor, (t, x) = b1.Monitor(8), table(20_000, 8)
    found: list[BaseException] = []

    def push() -> None:
        for turn in range(5):
            try:
                monitor.push(t + 400.0 * turn, x)
            except RuntimeError as error:
                found.append(error)
            except ValueError as error:
                # Another thread was faster, with later rows.
                assert "expected later" in str(error)

    threads = [threading.Thread(target=push) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert all("another thread" in str(error) for error in found)
    monitor.push(t[-1] + 4000.0, x[0])


def test_a_forked_child_can_use_it() -> None:
    done = python(
        "import os, numpy as np, becomingone as b1\n"
        "m = b1.Monitor(2); m.push(np.arange(500.0), np.random.default_rng(0).normal(size=(500, 2)))\n"
        "child = os.fork()\n"
        "if child == 0:\n    os._exit(40 + len(m.push(500.0, [0.0, 0.0])))\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    assert done.stdout == "41\n", done.stderr


def test_ctrl_c_ends_a_long_push() -> None:
    done = python(
        "import _thread, threading, time, numpy as np, becomingone as b1\n"
        "m, x = b1.Monitor(64), np.random.default_rng(0).normal(size=(150_000, 64))\n"
        "threading.Timer(0.2, _thread.interrupt_main).start()\n"
        "began = time.monotonic()\n"
        "try:\n    m.push(np.arange(150_000) * 0.02, x); time.sleep(1.0)\n"
        "except KeyboardInterrupt:\n    print(time.monotonic() - began)"
    )
    assert float(done.stdout) < 0.2 + 0.2 * max(1.0, load())


def test_rows_a_second() -> None:
    """300 000 at 8 channels on an idle machine."""
    for channels in (8, 64):
        t, x = table(60_000, channels)
        monitor = b1.Monitor(channels)
        monitor.push(t[:1000], x[:1000])
        began = time.perf_counter()
        monitor.push(t[1000:], x[1000:])
        found = 59_000 / (time.perf_counter() - began)
        print(f"\n{channels} channels: {found:,.0f} rows/s; load {load():.1f} a processor")
        if channels == 8 and load() < 0.75:
            assert found > 300_000
