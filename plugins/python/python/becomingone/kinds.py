"""Kinds of controllers, sensors and drivers that are functions in Python: scenes name them as the engine's own.

>>> @controller_kind("Follow", rate_hz=20)
... def follow(sim: Simulation, agent: str, *, gain: float = 1.0) -> tuple[float, float]:
...     return 0.5, gain * float(sim.reading(f"{agent}/imu")[2])

A scene then has ``controller: Follow(gain: 2.0)``. Parameters of a kind are the keyword-only parameters of its function, with
a type (``float``, ``int``, ``bool``, ``str``, ``list[float]``) and a default where a scene may leave them out: an unknown or
ill-typed one is an error of the scene, with its place. A class is a kind with a state of its own: made with the parameters at
the start of a run and at each reset, and called with the same arguments as a function.

Functions are called between ticks, on the thread that steps, at times of the simulation alone: two runs have the same bits
where the function is the same. Kinds belong to the process that declares them: the program ``becomingone``, sweeps, and
:class:`becomingone.BatchSimulation` do not have them.
"""

from __future__ import annotations

import functools
import inspect
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, SupportsFloat, TypeVar, cast

from . import _checks, _native

if TYPE_CHECKING:
    from .simulation import Simulation

Numbers = SupportsFloat | Iterable[SupportsFloat]
"""Numbers of a reading, in the order of its fields; one number for a reading of one."""

Sample = Callable[["Simulation", str], "Numbers | None"]
"""Takes the simulation and the name of a sensor; returns its reading, or ``None`` where there is none now."""

Made = TypeVar("Made", bound=Callable[..., Any])

_TYPES: dict[Any, str] = {float: "float", int: "int", bool: "bool", str: "str", list[float]: "floats"}
_NAMES = {"float": "float", "int": "int", "bool": "bool", "str": "str", "list[float]": "floats"}
_CHECKS: dict[str, tuple[type, ...]] = {
    "float": (float, int),
    "int": (int,),
    "bool": (bool,),
    "str": (str,),
    "floats": (list, tuple),
}
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

What = Literal["controller", "sensor", "driver"]


@dataclass(frozen=True)
class SensorFunction:
    """A sensor that is a function, for ``Simulation(sensors={"rover/thermometer": SensorFunction(..)})``.

    Attributes:
        sample: Takes the simulation and the sensor's name; returns its reading, or ``None`` where there is none.
        fields: Names of the numbers of a reading, and their units; ``1`` for none.
        rate_hz: Readings a second, at most one a tick.
    """

    sample: Sample
    fields: Mapping[str, str]
    rate_hz: float


@dataclass(frozen=True)
class Kind:
    """A declared kind: internal to this package."""

    what: What
    name: str
    function: Callable[..., Any]
    parameters: tuple[tuple[str, str, str | None], ...]
    fields: tuple[tuple[str, str], ...] = ()
    rate_hz: float = 0.0

    def native(self) -> dict[str, Any]:
        """As the native part takes it."""
        about = inspect.cleandoc(self.function.__doc__ or "a function in Python").partition("\n")[0]
        return {
            "what": self.what,
            "name": self.name,
            "about": about,
            "parameters": list(self.parameters),
            "fields": list(self.fields),
        }

    def bind(self, parameters: Mapping[str, Any]) -> Callable[..., Any]:
        """What is called in a run: the function with these parameters, or an instance of the class."""
        if inspect.isclass(self.function):
            made: Callable[..., Any] = _called(self.function, parameters)
            return made
        return functools.partial(self.function, **parameters) if parameters else self.function


def _called(function: Callable[..., Any], parameters: Mapping[str, Any]) -> Any:
    return function(**parameters)


_declared: dict[tuple[What, str], Kind] = {}


def declared() -> list[Kind]:
    """All kinds of this process."""
    return list(_declared.values())


def controller_kind(name: str, *, rate_hz: float = 20.0) -> Callable[[Made], Made]:
    """Declares a kind of controller: ``controller: Follow(gain: 2.0)``.

    Its function takes the simulation and the name of its agent; it returns speed (m/s) and yaw rate (rad/s), a request, or
    ``None``, as that of :meth:`Simulation.controller`.

    Args:
        name: Name in scenes.
        rate_hz: Calls a second of simulated time, at least 2: a request expires after half a second.
    """
    if not 2 <= rate_hz <= 1e9:
        raise ValueError(f"found a rate of {rate_hz} Hz; expected 2 to 1e9: a request expires after 0.5 s")
    return functools.partial(_declare, "controller", name, (), rate_hz)


def sensor_kind(name: str, *, fields: Mapping[str, str]) -> Callable[[Made], Made]:
    """Declares a kind of sensor: ``(name: "hull", kind: Hull(offset: 1.5), rate_hz: 10)``.

    Its function takes the simulation and the name of the sensor; it returns the numbers of a reading, NaN where one has no
    value, or ``None`` where there is no reading. Faults, recorders, viewers and diagnosis treat it as any sensor.

    Args:
        name: Name in scenes.
        fields: Names of the numbers of a reading, and their units; ``1`` for none.
    """
    return functools.partial(_declare, "sensor", name, _fields(fields), 0.0)


def driver_kind(name: str) -> Callable[[Made], Made]:
    """Declares a kind of driver, which is the source of sensors of any kind: ``source: Driver("lab", (gain: 2.0))``.

    Its function takes the simulation and the name of the sensor, at the sensor's rate; it returns the numbers of a reading of
    its kind, or ``None`` where there is none. A driver in Python sends no commands to drives.

    Args:
        name: Name in scenes.
    """
    return functools.partial(_declare, "driver", name, (), 0.0)


def _declare(what: What, name: str, fields: tuple[tuple[str, str], ...], rate_hz: float, function: Made) -> Made:
    if _WORD.fullmatch(name) is None:
        raise ValueError(f"found the name {name!r}; expected a word, such as Follow")
    sensors, controllers, drivers = _native.kinds()
    if name in {"sensor": sensors, "controller": controllers, "driver": drivers}[what]:
        raise ValueError(f"found the {what} kind {name!r}, which the engine has; expected another name")
    known = _declared.get((what, name))
    # A cell of a notebook, or a module, is run again.
    if known is not None and _origin(known.function) != _origin(function):
        raise ValueError(
            f"found the {what} kind {name!r} of {'.'.join(_origin(known.function))}; expected another name for "
            f"{'.'.join(_origin(function))}"
        )
    _declared[what, name] = Kind(what, name, function, _parameters(function), fields, rate_hz)
    return function


def _origin(function: Callable[..., Any]) -> tuple[str, str]:
    return str(getattr(function, "__module__", "")), str(getattr(function, "__qualname__", function))


def _fields(fields: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    if not fields or not all(str(text).strip() for pair in fields.items() for text in pair):
        raise ValueError(f'found the fields {fields!r}; expected names and units: {{"temperature": "degC"}}')
    return tuple(fields.items())


def _parameters(function: Callable[..., Any]) -> tuple[tuple[str, str, str | None], ...]:
    """Keyword-only parameters: names, types, and defaults as JSON."""
    found: list[tuple[str, str, str | None]] = []
    is_class = inspect.isclass(function)
    if is_class and not callable(getattr(function, "__call__", None)):
        raise TypeError(f"found {function.__qualname__} without __call__; expected it: (self, sim, name)")
    where = getattr(function, "__qualname__", repr(function))
    positional = 0
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            positional += 1
            continue
        if parameter.kind is not parameter.KEYWORD_ONLY:
            raise TypeError(f"found {parameter} in {where}; expected parameters with names")
        annotation: Any = parameter.annotation
        is_text = isinstance(annotation, str)
        kind = _NAMES.get(annotation.replace(" ", "")) if is_text else _TYPES.get(annotation)
        if kind is None:
            raise TypeError(
                f"found the parameter {parameter} of {where}; expected a type: float, int, bool, str or list[float]"
            )
        default: str | None = None
        if parameter.default is not parameter.empty:
            value: Any = parameter.default
            if not isinstance(value, _CHECKS[kind]) or (kind != "bool" and isinstance(value, bool)):
                raise TypeError(f"found the parameter {parameter} of {where}; expected a default of its type")
            if kind == "floats":
                value = [float(x) for x in cast(Iterable[Any], value)]
            default = json.dumps(float(value) if kind == "float" else value, allow_nan=False)
        found.append((parameter.name, kind, default))
    if positional != (0 if is_class else 2):
        expected = "none: its parameters follow a *" if is_class else "two, the simulation and a name: the others follow a *"
        raise TypeError(f"found {positional} positional parameters in {where}; expected {expected}")
    return tuple(found)


def beside(
    sensors: Mapping[str, SensorFunction] | None,
    sources: Mapping[str, Sample] | None,
) -> tuple[list[Kind], list[tuple[str, str, float]], list[tuple[str, str]]]:
    """Kinds of single functions, and what the native part adds to the scene: internal to this package."""
    kinds: list[Kind] = []
    added: list[tuple[str, str, float]] = []
    driven: list[tuple[str, str]] = []
    for name, sensor in (sensors or {}).items():
        kind = Kind("sensor", f"PythonSensor{len(added)}", sensor.sample, (), _fields(sensor.fields))
        kinds.append(kind)
        added.append((name, kind.name, _checks.number("rate_hz", sensor.rate_hz, 0.0)))
    for name, sample in (sources or {}).items():
        if not callable(sample):
            raise TypeError(f"found {sample!r} as the source of {name}; expected a function")
        kind = Kind("driver", f"python_source_{len(driven)}", sample, ())
        kinds.append(kind)
        driven.append((name, kind.name))
    return kinds, added, driven


def numbers(returned: Any, expected: Sequence[str]) -> list[float] | None:
    """What a function has returned, as numbers.

    Raises:
        ValueError: They are not as many as the fields, or infinite.
        TypeError: They are no numbers.
    """
    if returned is None:
        return None
    if isinstance(returned, str | bytes):
        raise TypeError(f"found {returned!r}; expected numbers: {', '.join(expected)}")
    # An array of numpy without dimensions is a number.
    is_row = hasattr(returned, "__iter__") and getattr(returned, "ndim", 1) != 0
    found = [float(x) for x in returned] if is_row else [float(returned)]
    if len(found) != len(expected):
        raise ValueError(f"found {len(found)} numbers; expected {len(expected)}: {', '.join(expected)}")
    for name, x in zip(expected, found, strict=True):
        if math.isinf(x):
            raise ValueError(f"found {x} as {name}; expected a finite number, or NaN where there is none")
    return found
