"""BecomingONE: a simulation and robotics engine with a coherence kernel.

>>> import becomingone as b1
>>> sim = b1.Simulation("robot", seed=7)
>>> sim.step(10)
>>> sim.reading("rover/imu").shape
(6,)

- :class:`Simulation`, :func:`run`: a scene that runs; :class:`BatchSimulation`: many worlds on all processors.
- :func:`controller_kind`, :func:`sensor_kind`, :func:`driver_kind`: kinds in Python, which scenes name.
- :class:`Scene`: what is simulated. :class:`Monitor`: the kernel alone. :func:`analyze`: faults in any table.
- :class:`Recording`: recorded runs as data frames. :func:`sweep`: many runs, here or on a cluster.
- ``becomingone.gym``: environments for learners. ``becomingone.sdk``: the concept's names.
"""

from __future__ import annotations

from . import errors
from ._native import VERSION as __version__
from ._ray import Ray
from .batch import BatchSimulation
from .data import Analysis, Interval, Recording, Table, analyze
from .errors import CallbackError, Error, SceneError
from .kinds import SensorFunction, controller_kind, driver_kind, sensor_kind
from .monitor import Monitor, Verdicts
from .notebook import show
from .scene import Scene, scenes
from .simulation import Sensor, Simulation, run
from .summary import AgentSummary, Alarm, Summary
from .sweep import Sweep, sweep

__all__ = [
    "AgentSummary",
    "Alarm",
    "Analysis",
    "BatchSimulation",
    "CallbackError",
    "Error",
    "Interval",
    "Monitor",
    "Ray",
    "Recording",
    "Scene",
    "SceneError",
    "Sensor",
    "SensorFunction",
    "Simulation",
    "Summary",
    "Sweep",
    "Table",
    "Verdicts",
    "__version__",
    "analyze",
    "controller_kind",
    "driver_kind",
    "errors",
    "run",
    "scenes",
    "sensor_kind",
    "show",
    "sweep",
]
