"""What calls cost, and steps a second beside MuJoCo's ``rollout`` and Gymnasium's ``SyncVectorEnv``.

    python bench.py [SECONDS A MEASUREMENT]

Comparable: a base, two driven wheels, and a caster of two links on a plane; 1 kHz; 10 physics steps with one action a
step; velocities of the wheels are the actions; the pose is observed. Not comparable: solvers and contacts (rapier: sequential impulses,
wheels as cylinders; MuJoCo: convex optimisation with its default options), precision (f32, f64), and what else is done in a
tick: this engine does odometry, requests, the governor, a hash of the state and its schedule each tick; ``rollout`` does physics
alone, in one call for all its steps, and keeps each of them. ``SyncVectorEnv`` steps MuJoCo in Python's loop, one env
after the other.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import becomingone as b1

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
TICKS = 10
ROVER: dict[str, b1.scene.Value] = {
    "version": 1,
    "name": "rover_on_a_plane",
    "agents": [{"name": "rover", "model": "built-in/assets/rover.urdf", "drive": "Auto"}],
}
# Sizes and masses of assets/rover.urdf.
MJCF = """
<mujoco>
  <option timestep="0.001"/>
  <worldbody>
    <geom type="plane" size="0 0 1" friction="0.9 0.005 0.0001"/>
    <body name="base" pos="0 0 0.09765">
      <freejoint/>
      <geom type="box" size="0.21 0.135 0.085" pos="-0.04 0 0.05" mass="7"/>
      <body name="left" pos="0 0.165 0">
        <joint name="left" axis="0 1 0" damping="0.01"/>
        <geom type="cylinder" size="0.09765 0.0237" euler="90 0 0" mass="0.8"/>
      </body>
      <body name="right" pos="0 -0.165 0">
        <joint name="right" axis="0 1 0" damping="0.01"/>
        <geom type="cylinder" size="0.09765 0.0237" euler="90 0 0" mass="0.8"/>
      </body>
      <body name="fork" pos="-0.19 0 -0.03">
        <joint axis="0 0 1" damping="0.001"/>
        <geom type="box" size="0.025 0.017 0.008" pos="-0.012 0 -0.012" mass="0.2" contype="0" conaffinity="0"/>
        <body name="caster" pos="-0.025 0 -0.03015">
          <joint axis="0 1 0" damping="0.001"/>
          <geom type="sphere" size="0.0375" mass="0.2"/>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator>
    <velocity joint="left" kv="5" ctrlrange="-20 20"/>
    <velocity joint="right" kv="5" ctrlrange="-20 20"/>
  </actuator>
</mujoco>
"""


def each(work: Callable[[], object], warm_up: int = 3) -> float:
    """Seconds a call."""
    for _ in range(warm_up):
        work()
    calls, began = 0, time.perf_counter()
    while True:
        work()
        calls += 1
        took = time.perf_counter() - began
        if took > SECONDS:
            return took / calls


def line(what: str, value: str) -> None:
    print(f"{what:58} {value:>16}   load {os.getloadavg()[0]:.1f}", flush=True)


def calls() -> None:
    def many(work: Callable[[], object], times: int = 1000) -> float:
        def loop() -> None:
            for _ in range(times):
                work()

        return each(loop) / times

    with b1.Simulation(ROVER, seed=7) as sim:
        sim.reading("rover/pose")
        line("step(0)", f"{many(lambda: sim.step(0)) * 1e6:.2f} us")
        line("step(1), a rover on a plane at rest", f"{many(lambda: sim.step(1)) * 1e6:.2f} us")
        line("step(1) of 1000 in one call", f"{each(lambda: sim.step(1000)) * 1e3:.2f} us")
        line("reading, a copy", f"{many(lambda: sim.reading('rover/pose')) * 1e6:.2f} us")
        line("reading, copy=False", f"{many(lambda: sim.reading('rover/pose', copy=False)) * 1e6:.2f} us")

        def drive() -> None:
            sim.drive("rover", 0.0, 0.0)
            sim.step(1)

        line("drive, step(1)", f"{many(drive) * 1e6:.2f} us")
        without = each(lambda: sim.step(1000))
        calls = 0

        def decide(_: b1.Simulation) -> None:
            nonlocal calls
            calls += 1

        sim.controller("rover", decide, rate_hz=1000)
        took = each(lambda: sim.step(1000))
        line("a call of a controller, beside its tick", f"{(took - without) * 1e3:.2f} us")
    rng = np.random.default_rng(0)
    for channels in (8, 64):
        rows = 40_000
        t, x, monitor, at = np.arange(rows) * 0.02, rng.normal(size=(rows, channels)), b1.Monitor(channels), 0.0

        def push() -> None:
            nonlocal at
            monitor.push(t + at, x)
            at += rows * 0.02

        line(f"Monitor, {channels} channels", f"{rows / each(push, 1):,.0f} rows/s")


def batches() -> None:
    for n in (1, 64, 1024):
        for threads in (1, 2):
            if threads > n:
                continue
            with b1.BatchSimulation(ROVER, n, observe=["rover/pose"], agent="rover", threads=threads) as batch:
                actions = np.tile([0.5, 0.3], (n, 1))
                line(f"BatchSimulation, N = {n}, {threads} threads", f"{n / each(lambda: batch.step(TICKS, actions)):,.0f} steps/s")


def mujoco_rollouts() -> None:
    import mujoco
    from mujoco import rollout

    model = mujoco.MjModel.from_xml_string(MJCF)
    first = mujoco.MjData(model)
    mujoco.mj_forward(model, first)
    size = mujoco.mj_stateSize(model, mujoco.mjtState.mjSTATE_FULLPHYSICS)
    for n in (1, 64, 1024):
        for threads in (1, 2):
            if threads > n:
                continue
            states = np.zeros((n, size))
            mujoco.mj_getState(model, first, states[0], mujoco.mjtState.mjSTATE_FULLPHYSICS)
            states[:] = states[0]
            control = np.tile([5.6, 4.6], (n, TICKS, 1))
            data = [mujoco.MjData(model) for _ in range(threads)]
            with rollout.Rollout(nthread=threads if threads > 1 else 0) as pool:

                def step() -> None:
                    found, _ = pool.rollout([model] * n, data, states, control)
                    states[:] = found[:, -1]

                line(f"mujoco.rollout, N = {n}, {threads} threads", f"{n / each(step):,.0f} steps/s")
            moved = float(np.hypot(*(states[:, 1:3] - first.qpos[:2]).T).min())
            assert moved > 1e-3, f"found a rover that moved {moved} m; expected it to drive"


def gymnasium_loops() -> None:
    import gymnasium
    import mujoco

    class Rover(gymnasium.Env[Any, Any]):
        observation_space = gymnasium.spaces.Box(-1e6, 1e6, (7,), dtype=np.float64)
        action_space = gymnasium.spaces.Box(-20.0, 20.0, (2,), dtype=np.float64)

        def __init__(self) -> None:
            self.model = mujoco.MjModel.from_xml_string(MJCF)
            self.data = mujoco.MjData(self.model)

        def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
            mujoco.mj_resetData(self.model, self.data)
            return self.data.qpos[:7].copy(), {}

        def step(self, action: Any) -> Any:
            self.data.ctrl[:] = action
            mujoco.mj_step(self.model, self.data, TICKS)
            return self.data.qpos[:7].copy(), 0.0, False, False, {}

    for n in (1, 64, 1024):
        envs = gymnasium.vector.SyncVectorEnv([Rover] * n)
        envs.reset()
        actions = np.tile([5.6, 4.6], (n, 1))
        line(f"SyncVectorEnv of MuJoCo, N = {n}", f"{n / each(lambda: envs.step(actions)):,.0f} steps/s")
        envs.close()


if __name__ == "__main__":
    print(f"{os.cpu_count()} processors; a step is {TICKS} physics steps of 1 ms with one action")
    for part in (calls, batches, mujoco_rollouts, gymnasium_loops):
        part()
