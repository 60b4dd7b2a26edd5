"""A simulation: a scene that runs, step by step or to its end."""

from __future__ import annotations

import contextlib
import functools
import json
import math
import os
import tempfile
import time as _clock
import weakref
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from . import _checks, _native, kinds
from .errors import CallbackError
from .kinds import Sample, SensorFunction
from .scene import Path, Scene, Value, _scene
from .summary import Summary, _summary

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Command = Mapping[str, Any] | str
"""A request: ``{"Twist": {"linear_m_s": 0.5, "angular_rad_s": 0.0}}``, ``"ClearStop"``."""

Controller = Callable[["Simulation"], "tuple[float, float] | Command | None"]
"""Decides what an agent does: speed and yaw rate of a drive, any other request, or nothing new."""


@dataclass(frozen=True)
class Sensor:
    """Names of the numbers of a sensor or state.

    Attributes:
        name: Its name: ``rover/imu``.
        fields: Names of its numbers.
        units: Their units.
    """

    name: str
    fields: tuple[str, ...]
    units: tuple[str, ...]


@dataclass
class _Controller:
    agent: str
    decide: Callable[[], tuple[float, float] | Command | None]
    every_ns: int
    next_ns: int


@dataclass
class _Sampled:
    """A sensor, or a source, that is a function."""

    user: int
    name: str
    fields: tuple[str, ...]
    sample: Callable[..., Any]
    period_ns: float
    count: int = 0
    next_ns: int = 0


class Simulation:
    """A scene that runs on a thread of its own.

    Args:
        scene: A :class:`Scene`, or what makes one: a name, a file, a mapping.
        seed: Seed of all random numbers; ``None``: the scene's.
        duration: Simulated time after which it is :attr:`done` (s); ``None``: the scene's.
        threads: Threads for physics and for kernels of many agents; results do not depend on it.
        rate: Pace of :meth:`run`: 1.0 is real time, 0.0 as fast as possible; ``None``: as the scene wants it.
        arm: Arm hardware actuators: without this, commands are computed and not sent.
        record: Record the run into this file (MCAP).
        display: Show it in Rerun: ``"window"``, ``"save=FILE"``, ``"connect=URL"``, or ``"notebook"``, where it is what a
            cell of Jupyter shows of it (``pip install "becomingone[notebook]"``).
        serve: Serve REST, WebSocket, gRPC, MCP and a page on this port of this machine; 0: one that is free.
        sensors: Sensors that are functions, added to the scene: ``{"rover/thermometer": SensorFunction(..)}``.
        sources: Sensors of the scene whose readings are those of a function: ``{"rover/imu": read_imu}``. It takes this
            simulation and the sensor's name, at the sensor's rate, and returns the numbers of a reading, or ``None``.

    Kinds that are declared by :func:`controller_kind`, :func:`sensor_kind` and :func:`driver_kind` are those of its scene too.

    The interpreter's lock is released while it steps, and Ctrl-C ends a step or run between two ticks. One thread calls
    it at a time. A forked child cannot use its parent's: make it after the fork, or start processes by ``spawn``. It
    cannot be pickled; a :class:`Scene` and a seed say all that it is made of.

    Example:
        >>> with Simulation("robot", seed=7) as sim:
        ...     while sim.time < 0.1:
        ...         sim.step(10)
        ...     imu = sim.reading("rover/imu")
        >>> imu.shape
        (6,)
    """

    def __init__(
        self,
        scene: Scene | Path | Mapping[str, Value] = "robot",
        *,
        seed: int | None = None,
        duration: float | None = None,
        threads: int = 1,
        rate: float | None = None,
        arm: bool = False,
        record: Path | None = None,
        display: str | None = None,
        serve: int | None = None,
        sensors: Mapping[str, SensorFunction] | None = None,
        sources: Mapping[str, Sample] | None = None,
        _beside: dict[str, Any] | None = None,
    ) -> None:
        own, added, driven = kinds.beside(sensors, sources)
        options: dict[str, Any] = {
            "seed": _checks.seed(seed),
            "duration_s": None if duration is None else _checks.number("duration", duration, 0.0),
            "threads": _checks.whole("threads", threads, 1, 1024),
            "armed": arm,
            "rate": None if rate is None else _checks.number("rate", rate, 0.0),
            "record": None if record is None else os.fspath(record),
            "serve": None if serve is None else _checks.whole("serve", serve, 0, 65535),
            "display": _display(display),
            "lines": None,
            "speaker": None,
            "written": [],
            "sensors": added,
            "sources": driven,
            **(_beside or {}),
        }
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._file: str | None = None
        if display == "notebook":
            self._folder = tempfile.TemporaryDirectory(prefix="becomingone-")
            self._file = os.path.join(self._folder.name, "run.rrd")
            options["display"] = f"save={self._file}"
        self._engine = _native.Engine(_scene(scene)._with_kinds(own), options)
        # A recording is completed also where nobody calls `close`.
        self._finish = weakref.finalize(self, _finish, self._engine, os.getpid())
        served = self._engine.served()
        self._url = served[0] if served else None
        self._controllers: list[_Controller] = []
        self._rate = self._engine.rate()
        self._is_stopped = False
        self._is_deciding = False
        self._kinds = {(kind.what, kind.name): kind for kind in (*kinds.declared(), *own)}
        self._of_scene: list[_Controller] = []
        self._sampled: list[_Sampled] = []
        self._bind()

    def _bind(self) -> None:
        """Begins with the functions of the scene's kinds, at the start of a run."""
        self._of_scene.clear()
        self._sampled.clear()
        for user, (what, name, kind_name, parameters, rate_hz) in enumerate(self._engine.users()):
            kind = self._kinds[what, kind_name]
            with _calling(name):
                call = kind.bind(json.loads(parameters))
            if what == "controller":
                decide = functools.partial(call, self, name)
                self._of_scene.append(_Controller(name, decide, round(1e9 / kind.rate_hz), 0))
            else:
                self._sampled.append(_Sampled(user, name, self.sensor(name).fields, call, 1e9 / rate_hz))

    def step(self, ticks: int = 1) -> None:
        """Does this many ticks, as fast as possible.

        Raises:
            RunError: A system has failed.
        """
        if not 0 <= ticks <= _checks.MOST_TICKS:
            raise ValueError(f"found {ticks} ticks; expected 0 or more")
        if ticks == 0 or not self._has_functions:
            self._engine.step(ticks)
            return
        self._is_idle("step")
        left = ticks
        while left > 0:
            now, tick_ns = self._decide()
            next_ns = min(self._next_ns())
            until = max(1, -(-(next_ns - now) // tick_ns))
            self._engine.step(min(left, until))
            left -= min(left, until)

    def run(self, duration: float | None = None) -> Summary:
        """Runs to the scene's end, or for this much simulated time (s), at its pace.

        Raises:
            RunError: A system has failed.
        """
        if duration is not None:
            duration = _checks.number("duration", duration, 0.0)
        if not self._has_functions:
            try:
                self._engine.run(duration)
            finally:
                # It stops this run, not later ones.
                self._is_stopped = False
            return self.summary()
        self._is_idle("run")
        until = None if duration is None else self.time + duration
        half_tick = self.tick_s / 2
        began, begun = _clock.monotonic(), self.time
        while not (self.done if until is None else self.time >= until - half_tick):
            if self._is_stopped:
                # It stops this run, not later ones.
                self._is_stopped = False
                break
            self.step()
            if self._rate > 0.0:
                ahead = began + (self.time - begun) / self._rate - _clock.monotonic()
                if ahead > 0.0:
                    _clock.sleep(ahead)
        return self.summary()

    def stop(self) -> None:
        """Ends a :meth:`run` that another thread waits for; without one, the next one ends at its start."""
        self._is_stopped = True
        self._engine.stop_run()

    def _next_ns(self) -> Iterator[int]:
        """When the functions are due."""
        yield from (sampled.next_ns for sampled in self._sampled)
        yield from (controller.next_ns for controller in self._of_scene)
        yield from (controller.next_ns for controller in self._controllers)

    @property
    def _has_functions(self) -> bool:
        return bool(self._controllers or self._of_scene or self._sampled)

    def _is_idle(self, what: str) -> None:
        if self._is_deciding:
            raise RuntimeError(f"found {what} in a controller or sensor; expected it to decide or sample, and to return")

    def reset(self, seed: int | None = None) -> None:
        """Resets it to the start of its scene, with this seed or the present one. From here, it has the bits of a new
        simulation with that seed."""
        self._is_idle("reset")
        self._engine.reset(_checks.seed(seed))
        for controller in self._controllers:
            controller.next_ns = 0
        self._bind()

    def reading(self, name: str, *, copy: bool = True) -> NDArray[np.float64]:
        """The latest reading of a sensor, or a state of an agent: an array of numbers that cannot be written to.

        Before the first reading, and where a value is missing, its numbers are NaN.

        Args:
            name: ``rover/imu``, its truth ``rover/imu/truth``, or a state of an agent: ``pose`` (position in m, rotation
                as quaternion x, y, z, w), ``velocity``, ``joints``, ``odometry``, ``estimate``, ``kernel``, ``goals``,
                ``travel``, ``laps``, ``links/NAME``, as in ``rover/pose``. :meth:`sensor` has their fields and units.
            copy: ``False``: the one array of this name, which each step overwrites; it is valid until the next step.

        Raises:
            UnknownName: Nothing has this name; the text lists what is there.
        """
        return self._engine.numbers(name, copy)

    def truth(self, name: str) -> NDArray[np.float64]:
        """Ground truth of a simulated sensor at its latest reading."""
        return self._engine.numbers(f"{name}/truth", True)

    def sensor(self, name: str) -> Sensor:
        """Names and units of the numbers of a sensor or state."""
        fields, units = self._engine.fields(name)
        return Sensor(name, tuple(fields), tuple(units))

    def controller(self, agent: str, decide: Controller, *, rate_hz: float) -> None:
        """Lets a function decide what an agent does, in place of its controller.

        It is called between ticks on the thread that steps, at each multiple of the period of ``rate_hz`` in simulated
        time, and enters as a request: the governor limits it. A call costs some 10 microseconds beside the function's own
        time (``plugins/python/tests/bench.py``).

        Args:
            agent: Name of the agent.
            decide: Takes this simulation; returns speed (m/s) and yaw rate (rad/s), a request, or ``None``. What it
                raises is the cause of a :class:`CallbackError` from :meth:`step`. It cannot step, run or reset the
                simulation.
            rate_hz: Calls a second of simulated time, at least 2: a request expires after half a second.

        Raises:
            UnknownName: No agent has this name.
        """
        if not 2 <= rate_hz <= 1e9:
            raise ValueError(f"found a rate of {rate_hz} Hz; expected 2 to 1e9: a request expires after 0.5 s")
        self.agent(agent)
        every_ns = round(1e9 / rate_hz)
        call = functools.partial(decide, self)
        self._controllers.append(_Controller(agent, call, every_ns, self._engine.time()[1]))

    def _decide(self) -> tuple[int, int]:
        """Calls the functions that are due; returns the time and the length of a tick (ns)."""
        _, now, tick_ns = self._engine.time()
        for sampled in self._sampled:
            if now >= sampled.next_ns:
                # As the engine's own sensors: each due time is computed from the start.
                sampled.count += 1
                sampled.next_ns = math.floor(sampled.count * sampled.period_ns + 0.5)
                with self._calling(sampled.name):
                    found = kinds.numbers(sampled.sample(self, sampled.name), sampled.fields)
                self._engine.fill(sampled.user, found)
        for controller in (*self._of_scene, *self._controllers):
            if now >= controller.next_ns:
                controller.next_ns = (now // controller.every_ns + 1) * controller.every_ns
                with self._calling(controller.agent):
                    decided = controller.decide()
                    if isinstance(decided, tuple):
                        self.drive(controller.agent, *decided)
                    elif decided is not None:
                        self.command(controller.agent, decided)
        return now, tick_ns

    @contextlib.contextmanager
    def _calling(self, name: str) -> Generator[None]:
        """A call of a function in Python."""
        self._is_deciding = True
        try:
            with _calling(name):
                yield
        finally:
            self._is_deciding = False

    def command(self, agent: str, request: Command) -> None:
        """Gives an agent a request, from the next tick on. Motions expire after half a second of simulated time.

        Raises:
            Refused: The agent cannot follow it.
            UnknownName: No agent has this name.
        """
        self._engine.command(agent, json.dumps(request))

    def drive(self, agent: str, linear_m_s: float, angular_rad_s: float) -> None:
        """Drives an agent with this speed (m/s) and yaw rate (rad/s), for half a second of simulated time."""
        self.command(agent, {"Twist": {"linear_m_s": float(linear_m_s), "angular_rad_s": float(angular_rad_s)}})

    def steer(self, agent: str, speed_m_s: float, steering_rad: float) -> None:
        """Drives a vehicle with this speed (m/s) and angle of its steering (rad), for half a second."""
        self.command(agent, {"Ackermann": {"speed_m_s": float(speed_m_s), "steering_rad": float(steering_rad)}})

    def joints(
        self, agent: str, positions: Sequence[float], velocities: Sequence[float] | None = None
    ) -> None:
        """Moves all servos of an agent to these positions (rad or m), for half a second."""
        speeds = [0.0] * len(positions) if velocities is None else [float(v) for v in velocities]
        targets = {"positions": [float(p) for p in positions], "velocities": speeds}
        self.command(agent, {"Joints": targets})

    def go_to(self, agent: str, to: str | tuple[float, float]) -> None:
        """Sends an agent to a place of the scene, or to a position (m)."""
        x_m, y_m = self._engine.place(to) if isinstance(to, str) else to
        self.command(agent, {"GoTo": {"x_m": float(x_m), "y_m": float(y_m)}})

    def stop_agent(self, agent: str) -> None:
        """Stops an agent; the stop latches until :meth:`clear_stop`. Any thread may call it, also during a step."""
        self.command(agent, "Stop")

    def clear_stop(self, agent: str) -> None:
        """Clears the stop of an agent; its controller resumes."""
        self.command(agent, "ClearStop")

    def set(self, agent: str, parameter: str, value: float) -> None:
        """Sets a number of the agent's controller, until a reset: ``controller.speed_m_s``."""
        self.command(agent, {"Set": {"parameter": parameter, "value": float(value)}})

    def fault(self, target: str, kind: str, *, for_s: float | None = None) -> None:
        """Injects a fault from the next tick on.

        Args:
            target: A sensor, a part of one, or a drive: ``rover/imu/gyro_z``.
            kind: As in a scene: ``Freeze``, ``Bias(0.2)``.
            for_s: How long (s); ``None``: until :meth:`end_faults`.
        """
        agent, _, part = target.partition("/")
        self.command(agent, {"Fault": {"target": part, "kind": kind, "for_s": for_s}})

    def end_faults(self, agent: str) -> None:
        """Ends the faults of an agent that were injected by :meth:`fault`."""
        self.command(agent, "EndFaults")

    def agent(self, name: str) -> dict[str, Any]:
        """State of an agent as others see it: mode, pose, velocity, kernel, alarm, cause, request, goal."""
        state: dict[str, Any] = json.loads(self._engine.agent(name))
        return state

    def picture(
        self,
        *,
        agent: str | None = None,
        distance_m: float | None = None,
        yaw_rad: float = -0.6,
        pitch_rad: float = 0.6,
        width: int = 480,
        height: int = 360,
    ) -> NDArray[np.uint8]:
        """A picture of now, drawn by the processor: red, green, blue of each pixel, shape ``(height, width, 3)``.

        Args:
            agent: Name of the agent that is looked at; ``None``: all.
            distance_m: Distance of the camera (m); ``None``: as far as everything fits.
            yaw_rad: Direction in which it looks, counter-clockwise from x (rad).
            pitch_rad: How far down it looks: 0 to the horizon, 1.57 straight down, as a map (rad).
            width: In pixels, 16 to 2048.
            height: In pixels.
        """
        width, height = _checks.picture(width, height)
        view = _view(agent, distance_m, yaw_rad, pitch_rad, width, height)
        return self._engine.picture(view)

    def _repr_png_(self) -> bytes | None:
        """A notebook's picture of it; Rerun's view instead where it is displayed."""
        return None if self._file else self._engine.png(_view(None, None, -0.6, 0.6, 640, 480))

    def _repr_mimebundle_(self, **_: object) -> Any:
        if not self._file:
            return {}
        from .notebook import show

        return show(self._file)._repr_mimebundle_()

    def summary(self) -> Summary:
        """The run so far."""
        return _summary(self._engine.summary())

    @property
    def state_hash(self) -> str:
        """Hash of the whole state: that of the program and of the library, for the same scene and seed."""
        return self.summary().state_hash

    @property
    def done(self) -> bool:
        """Whether the scene has ended: by its duration, or as its goals are reached or given up."""
        return self._engine.done()

    @property
    def ticks(self) -> int:
        """Ticks done."""
        return self._engine.time()[0]

    @property
    def time(self) -> float:
        """Simulated time (s)."""
        return self._engine.time()[1] * 1e-9

    @property
    def tick_s(self) -> float:
        """Length of a tick (s)."""
        return self._engine.time()[2] * 1e-9

    @property
    def scene(self) -> str:
        """The scene with all overlays and defaults, as RON."""
        return self._engine.scene()

    @property
    def url(self) -> str | None:
        """Address of its server, from any thread; ``None`` without one."""
        return self._url

    @property
    def page(self) -> str | None:
        """Address of its page, with the code that signs in once; ``None`` without a server."""
        served = self._engine.served()
        return served[1] if served else None

    def close(self) -> None:
        """Ends it, and completes its recording.

        Raises:
            RunError: The recording is incomplete.
        """
        self._finish.detach()
        self._engine.close()
        self._url = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> Literal[False]:
        self.close()
        return False

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError(
            "found a simulation to pickle, which is a running engine; expected its Scene and seed: "
            "make it where it is used"
        )


@contextlib.contextmanager
def _calling(name: str) -> Generator[None]:
    try:
        yield
    except Exception as error:
        raise CallbackError(f"{name}: its function in Python: {type(error).__name__}: {error}", name) from error


def _finish(engine: _native.Engine, process: int) -> None:
    # The threads of an engine are those of the process that made it.
    if os.getpid() == process:
        engine.close()


def _view(
    agent: str | None,
    distance_m: float | None,
    yaw_rad: float,
    pitch_rad: float,
    width: int,
    height: int,
) -> dict[str, Any]:
    return {
        "agent": agent,
        "distance_m": distance_m,
        "yaw_rad": yaw_rad,
        "pitch_rad": pitch_rad,
        "width": width,
        "height": height,
    }


def _display(how: str | None) -> str | None:
    if how is None or how in {"window", "notebook"} or how.startswith(("save=", "connect=")):
        return how
    raise ValueError(f'found display {how!r}; expected "window", "notebook", "save=FILE" or "connect=URL"')


def run(
    scene: Scene | Path | Mapping[str, Value] = "robot",
    *,
    seed: int | None = None,
    duration: float | None = None,
    threads: int = 1,
    record: Path | None = None,
) -> Summary:
    """Runs a scene to its end, as ``becomingone run`` does, and returns its summary.

    Example:
        >>> run("robot", seed=7, duration=1.0).ticks
        1000
    """
    sim = Simulation(scene, seed=seed, duration=duration, threads=threads, record=record)
    with sim:
        return sim.run()
