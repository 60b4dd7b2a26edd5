"""Tables, recordings and analyses, in and out by Arrow: pandas, polars, pyarrow and DuckDB take them without a copy."""

from __future__ import annotations

import difflib
import importlib
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from . import _checks, _native, _program
from .errors import AnalysisError, Error, RecordingError, Unavailable
from .scene import Path

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray


@runtime_checkable
class ArrowStream(Protocol):
    """A table of any library that speaks Arrow: a data frame of pandas or polars, a table of pyarrow."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The table as a capsule with an Arrow stream."""
        ...


class Table:
    """Columns of equal length; an Arrow table for other libraries."""

    def __init__(self, columns: _native.Columns) -> None:
        self._columns = columns

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return self._columns.names

    def __len__(self) -> int:
        return len(self._columns)

    def __getitem__(self, name: str) -> Any:
        """A column: an array of numbers (missing ones are NaN) or times, or a list of texts."""
        return self._columns.column(name)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The table as an Arrow stream."""
        return self._columns.__arrow_c_stream__(requested_schema)

    def to_polars(self) -> Any:
        """As ``polars.DataFrame``."""
        return _library("polars").DataFrame(self)

    def to_pandas(self) -> Any:
        """As ``pandas.DataFrame``."""
        return to_pandas(self)

    def to_arrow(self) -> Any:
        """As ``pyarrow.Table``."""
        return _library("pyarrow").table(self)

    def to_parquet(self, file: Path) -> None:
        """Writes it as Parquet."""
        self._columns.write_parquet(os.fspath(file))


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise Unavailable(f"found no {package}; expected it: pip install {package}") from error


def to_pandas(table: ArrowStream) -> Any:
    """An Arrow stream as ``pandas.DataFrame``."""
    frame = _library("pandas").DataFrame
    if hasattr(frame, "from_arrow"):
        return frame.from_arrow(table)
    # Before pandas 3.
    return _library("pyarrow").table(table).to_pandas()


class Recording:
    """A recording: MCAP of ``run --record``, or any table or log of messages that ``becomingone analyze`` reads.

    Example:
        >>> recording = Recording("run.mcap")
        >>> recording["/rover/imu"].to_polars()
    """

    def __init__(self, file: Path) -> None:
        self.file: str = _path(file)
        if not os.path.exists(self.file):
            raise FileNotFoundError(2, "found no recording", self.file)

    def __getitem__(self, topic: str) -> Table:
        """Messages of a topic, a row each: ``/rover/imu``. Those that are drawn for viewers, such as ``/rover/pose``, have
        their numbers in others: ``/rover/truth``, ``/rover/odometry``.

        Raises:
            RecordingError: It has no such topic, or cannot be read.
        """
        try:
            return Table(_native.read(self.file, topic))
        except RecordingError as error:
            raise self._no_topic(topic) or error from None

    def _no_topic(self, topic: str) -> RecordingError | None:
        """The error of a topic that is not there, or is no table."""
        try:
            topics = self.topics
        except RecordingError:
            # A log of another program: the error lists its topics.
            return None
        near = [one for one in difflib.get_close_matches(topic, topics, 4, 0.5) if one != topic]
        text = "found no topic" if topic not in topics else "found no numbers in the topic"
        nearest = f"nearest: {', '.join(near)}; " if near else ""
        return RecordingError(f"{self.file}: {text} {topic!r}; {nearest}expected one of {', '.join(topics)}")

    def table(self) -> Table:
        """The readings of all topics in one table, with those that do not change."""
        return Table(_native.read(self.file))

    def to_polars(self, topic: str) -> Any:
        """Messages of a topic as ``polars.DataFrame``."""
        return self[topic].to_polars()

    def to_pandas(self, topic: str) -> Any:
        """Messages of a topic as ``pandas.DataFrame``."""
        return self[topic].to_pandas()

    def to_arrow(self, topic: str) -> Any:
        """Messages of a topic as ``pyarrow.Table``."""
        return self[topic].to_arrow()

    def info(self) -> dict[str, Any]:
        """Scene, seed, duration, topics, faults: as ``becomingone info --json``.

        Raises:
            RecordingError: It cannot be read.
        """
        found: dict[str, Any] = json.loads(_run(["info", "--json", self.file], RecordingError))
        return found

    @property
    def topics(self) -> list[str]:
        """Its topics."""
        return [topic["topic"] for topic in self.info()["topics"]]

    def verify(self) -> None:
        """Computes the run again, and compares each tick.

        Raises:
            RecordingError: A tick differs; the text says which.
        """
        _run(["replay", self.file, "--verify"], RecordingError)


@dataclass(frozen=True)
class Interval:
    """Rows that deviate from what was learned.

    Attributes:
        first_row: Its first row, from 0.
        last_row: Its last row.
        first_time: Time of the first row, as the table has it; empty without one.
        last_time: Time of the last row.
        channel: The channel that is isolated; ``None`` where none stands out.
        severity: How far it goes beyond the thresholds; 1 is at them.
        surprise: Largest surprise.
        measured: What the channel measured where it deviates most.
        expected: What was expected there.
        band: Half of the width of what is healthy.
        shares: Share of each channel.
    """

    first_row: int
    last_row: int
    first_time: str
    last_time: str
    channel: str | None
    severity: float
    surprise: float
    measured: float | None
    expected: float | None
    band: float | None
    shares: dict[str, float]


class Analysis(Table):
    """Result of :func:`analyze`: a row of scores for each row, and the intervals that deviate.

    Attributes:
        intervals: Rows that deviate.
        data: All that ``becomingone analyze --json`` writes.
    """

    def __init__(self, scores: _native.Columns, data: dict[str, Any]) -> None:
        super().__init__(scores)
        self.data = data
        self.intervals: list[Interval] = [_interval(one) for one in data["intervals"]]


def _interval(data: dict[str, Any]) -> Interval:
    return Interval(
        first_row=data["first"]["row"],
        last_row=data["last"]["row"],
        first_time=data["first"].get("time") or "",
        last_time=data["last"].get("time") or "",
        channel=data.get("channel"),
        severity=data["severity"],
        surprise=data["surprise"],
        measured=data.get("measured"),
        expected=data.get("expected"),
        band=data.get("band"),
        shares=data.get("shares") or {},
    )


Data = Path | ArrowStream | Mapping[str, "ArrayLike"]
"""A file, a data frame of any library that speaks Arrow, or arrays by their names."""


def analyze(
    data: Data,
    *,
    baseline: int | None = None,
    healthy: Sequence[Data] = (),
    time: str | None = None,
    inputs: Sequence[str] = (),
    ignore: Sequence[str] = (),
    false_alarms_per_hour: float | None = None,
    sensitivity: float | None = None,
    rate_hz: float | None = None,
) -> Analysis:
    """Detects anomalies by what the first rows, or healthy tables, are like: ``becomingone analyze``, to the bit.

    Args:
        data: A file, a data frame, or arrays by their names.
        baseline: First rows that are taken as healthy; ``None``: 400.
        healthy: Healthy tables to learn from, in place of the first rows.
        time: Column of times; ``None``: it is guessed.
        inputs: Columns that are inputs: they help to predict, and are never isolated.
        ignore: Columns to leave out, such as labels.
        false_alarms_per_hour: Wanted rate of false alarms.
        sensitivity: Alarms begin at a smaller rise (2.0: half of it) or a larger one (0.5).
        rate_hz: Rows a second, for a table without times.

    Raises:
        AnalysisError: The program refuses the table.

    Example:
        >>> analyze(frame, baseline=400).intervals
    """
    with tempfile.TemporaryDirectory(prefix="becomingone-") as folder:
        scores, found = os.path.join(folder, "scores.csv"), os.path.join(folder, "found.json")
        for argument, names in (("inputs", inputs), ("ignore", ignore), ("healthy", healthy)):
            if isinstance(names, str):
                raise TypeError(f"found the text {names!r} as {argument}; expected a list: [{names!r}]")
        for name in (*inputs, *ignore):
            if "," in name:
                raise ValueError(f"found a comma in the name {name!r}; expected a name without: rename the column")
        if baseline is not None:
            baseline = _checks.whole("baseline", baseline, 1, _checks.MOST_TICKS)
        tables = {"data": data, **{f"healthy[{k}]": one for k, one in enumerate(healthy)}}
        files = [_file(one, folder, name) for name, one in tables.items()]
        arguments = ["analyze", files[0], "--out", scores, "--json", found, "--rerun", "off", "--quiet"]
        options = {
            "--baseline": baseline,
            "--time": time,
            "--inputs": ",".join(inputs) or None,
            "--ignore": ",".join(ignore) or None,
            "--false-alarms-per-hour": false_alarms_per_hour,
            "--sensitivity": sensitivity,
            "--rate": rate_hz,
        }
        for option, value in options.items():
            if value is not None:
                arguments.append(f"{option}={value}")
        if files[1:]:
            arguments += ["--healthy", *files[1:]]
        try:
            _run(arguments, AnalysisError)
        except AnalysisError as error:
            # Files of its own are no news to anybody.
            raise AnalysisError(str(error).replace(folder + os.sep, "")) from None
        with open(found, encoding="utf-8") as file:
            result = json.load(file)
        result["file"] = result["file"].replace(folder + os.sep, "")
        return Analysis(_native.read_scores(scores), result)


def _path(file: Path) -> str:
    """A path that is no option of the program."""
    path = os.fspath(file)
    return os.path.join(".", path) if path.startswith("-") else path


def _file(data: Data, folder: str, name: str) -> str:
    """A file that the program reads."""
    if isinstance(data, str | os.PathLike):
        return _path(data)
    file = os.path.join(folder, name)
    if isinstance(data, ArrowStream):
        _native.write_stream(data.__arrow_c_stream__(), file)
        return file
    if isinstance(data, Mapping):
        arrays = {str(column): _numbers(str(column), values) for column, values in data.items()}
        if len(arrays) < len(data):
            raise ValueError(f"found two columns of one name in {list(data)}; expected a name for each")
        lengths = {len(array) for array in arrays.values()}
        if len(lengths) > 1:
            raise ValueError(f"found columns of {', '.join(map(str, sorted(lengths)))} rows; expected equal lengths")
        _native.columns(list(arrays), list(arrays.values())).write(file)
        return file
    raise TypeError(
        f"found {type(data).__name__}; expected a file, a data frame (polars, pandas, pyarrow), or arrays by names"
    )


def _numbers(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """A column of numbers."""
    import numpy as np

    given: Any = values
    if isinstance(given, np.ma.MaskedArray):
        given = np.ma.filled(cast(Any, given).astype(np.float64), np.nan)
    array: NDArray[Any] = np.asarray(given)
    if array.dtype.kind not in "biufO":
        raise TypeError(
            f"found {array.dtype} in {name!r}; expected numbers: times and texts can be in a data frame (polars, "
            "pandas, pyarrow)"
        )
    if array.ndim != 1:
        raise ValueError(f"found an array of shape {array.shape} in {name!r}; expected one dimension")
    return np.ascontiguousarray(array, dtype=np.float64)


def _run(arguments: Sequence[str], failed: type[Error]) -> str:
    """Runs the program; returns what it prints."""
    done = subprocess.run(
        [*_program.command(), *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise failed(done.stderr.strip().removeprefix("error: "))
    return done.stdout
