"""Nothing grows: neither by steps, nor by simulations, nor by arrays that are kept and dropped."""

from __future__ import annotations

import gc
import os

import numpy as np
import pytest

import becomingone as b1

STEPS = int(os.environ.get("BECOMINGONE_STEPS", "100000"))
MB = 1 << 20


def resident() -> int:
    """Memory of this process (bytes)."""
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def grown(work: object, warm_up: int, times: int) -> float:
    """By how much (MB) it grows after the first times."""
    assert callable(work)
    for _ in range(warm_up):
        work()
    before = resident()
    for _ in range(times):
        work()
    return (resident() - before) / MB


def test_steps_with_readings_do_not_grow() -> None:
    """10^5 steps; 10^6 by BECOMINGONE_STEPS. The robot arrives and stands: a reset every 50 s."""
    with b1.Simulation("robot", seed=7) as sim:
        count = 0

        def step() -> None:
            nonlocal count
            sim.step()
            sim.reading("rover/imu")
            sim.reading("rover/lidar", copy=False)
            if count % 50 == 0:
                sim.drive("rover", 0.3, 0.1)
            count += 1
            if count % 50_000 == 0:
                sim.reset()

        growth = grown(step, STEPS // 5, STEPS)
    print(f"\n{STEPS} steps: {growth:+.2f} MB")
    assert growth < 5.0


def test_a_batch_does_not_grow() -> None:
    with b1.BatchSimulation("robot", 4, observe=["rover/lidar"], agent="rover") as batch:
        actions = np.full((4, 2), 0.3)

        def step() -> None:
            batch.step(5, actions, mask=[True, True, False, True])
            batch.reset(mask=[True, False, False, False])

        growth = grown(step, 300, 1000)
    print(f"\n1000 batch steps and resets: {growth:+.2f} MB")
    assert growth < 5.0


@pytest.mark.slow
def test_a_thousand_simulations_leave_nothing() -> None:
    def make() -> None:
        sim = b1.Simulation("robot", seed=7)
        sim.step(2)
        sim.reading("rover/imu", copy=False)

    growth = grown(make, 100, 1000)
    threads = len(os.listdir("/proc/self/task"))
    print(f"\n1000 simulations: {growth:+.2f} MB, {threads} threads")
    assert growth < 5.0 and threads < 20


def test_views_kept_and_dropped_leave_nothing() -> None:
    with b1.Simulation("robot", seed=7) as sim:
        names = ["rover/imu", "rover/lidar", "rover/pose", "rover/lidar/truth"]
        kept: list[object] = []

        def read() -> None:
            kept.append([sim.reading(name, copy=copy) for name in names for copy in (True, False)])
            sim.step()
            if len(kept) > 10:
                kept.clear()

        growth = grown(read, 500, 5000)
    print(f"\n5000 times 8 arrays: {growth:+.2f} MB")
    assert growth < 5.0


def test_views_of_simulations_that_ended_leave_nothing() -> None:
    def read() -> None:
        sim = b1.Simulation("robot", seed=7)
        view = sim.reading("rover/lidar", copy=False)
        sim.step(2)
        del sim
        assert view.shape == (360,)

    growth = grown(read, 100, 150)
    print(f"\n150 views of simulations that ended: {growth:+.2f} MB")
    assert growth < 5.0


def test_errors_and_tables_leave_nothing() -> None:
    with b1.Simulation("robot", seed=7) as sim:

        def fail() -> None:
            for call in (lambda: sim.reading("nope"), lambda: sim.drive("nope", 0.0, 0.0), lambda: b1.Scene("nope").check()):
                try:
                    call()
                except b1.Error:
                    pass
            table = b1.Table(b1._native.columns(["a"], [np.zeros(1000)]))
            table.__arrow_c_stream__()
            b1.Monitor(4).push(np.arange(10.0), np.zeros((10, 4)))

        growth = grown(fail, 300, 2000)
    print(f"\n2000 times errors and tables: {growth:+.2f} MB")
    assert growth < 5.0
