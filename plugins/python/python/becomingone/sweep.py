"""Many runs as one table: each scene with each point of the values and each seed."""

from __future__ import annotations

import contextlib
import difflib
import itertools
import json
import math
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, Literal

from . import _native, _program, _ray
from ._ray import Ray
from ._recordings import Remote, Uploads
from .data import Table, _library, to_pandas
from .errors import RunError, SweepError, Unavailable
from .scene import Path, Scene, Value, _plain, _ron, _scene, _yaml

if TYPE_CHECKING:
    from numpy.typing import NDArray


_ROWS = 65_536
"""Rows that are held at once."""


class Sweep:
    """Table of a sweep, a row for each run: an Arrow table for other libraries.

    Columns: ``run``, ``scene``, ``seed``, the values that vary, ``ticks``, ``sim_s`` (s), ``scene_hash``, ``state_hash``,
    ``error`` (null where the run is well), the summary by dots (``rover.distance_m``), ``wall_s`` (s).

    Args:
        file: The table (Parquet) of an earlier sweep.

    Attributes:
        file: The table; it lives with this object where :func:`sweep` had no ``out``.
    """

    def __init__(self, file: Path) -> None:
        self.file: str = os.fspath(file)
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def done(self) -> bool:
        """Whether the table is there: with ``shard``, the process that finds all parts writes it."""
        return os.path.isfile(self.file)

    @property
    def failed(self) -> int:
        """Number of runs that have failed."""
        return len(self.errors())

    def errors(self) -> dict[int, str]:
        """Errors of the runs that have failed, by their numbers."""
        found: dict[int, str] = {}
        for batch in self._parquet().batches(_ROWS, ["run", "error"]):
            pairs = zip(batch.values("run"), batch.values("error"), strict=True)
            found.update((run, error) for run, error in pairs if error is not None)
        return found

    def _parquet(self) -> _native.Parquet:
        if not self.done:
            raise RunError(f"found no {self.file}; expected all parts to be done: those of other shards are missing")
        return _native.Parquet(self.file)

    def __len__(self) -> int:
        return len(self._parquet())

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return self._parquet().names

    def batches(self, rows: int = _ROWS, columns: Sequence[str] | None = None) -> Iterator[Table]:
        """The table in pieces of at most so many rows: never all of it is held.

        Args:
            rows: Rows of a piece.
            columns: Names of the columns, in the table's order; ``None``: all.
        """
        for batch in self._parquet().batches(rows, None if columns is None else self._known(list(columns))):
            yield Table(batch)

    @property
    def rows(self) -> Iterator[dict[str, Any]]:
        """The runs, one by one: values by the names of the columns, ``None`` where there is none."""
        names = self.columns
        for batch in self._parquet().batches(_ROWS):
            for values in zip(*(batch.values(name) for name in names), strict=True):
                yield dict(zip(names, values, strict=True))

    def to_numpy(self, columns: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
        """Arrays by the names of the columns: numbers (those that are missing are NaN), flags, or texts as objects."""
        import numpy as np

        pieces: dict[str, list[Any]] = {name: [] for name in (self.columns if columns is None else columns)}
        for batch in self.batches(columns=columns):
            for name, found in pieces.items():
                column = batch[name]
                found.append(column if isinstance(column, np.ndarray) else np.array(column, dtype=object))
        return {name: np.concatenate(found) if found else np.empty(0) for name, found in pieces.items()}

    def aggregate(self, of: str, by: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Count, mean, standard deviation, least and greatest of a column of numbers: of all runs, or of those with equal values
        of other columns. Missing numbers do not count. The table is read piece by piece.

        Args:
            of: The column: ``rover.distance_m``.
            by: Columns that part the runs, such as those that vary.

        Example:
            >>> found.aggregate("rover.distance_m", by=["agents.rover.controller.speed_m_s"])
        """
        groups: dict[tuple[Any, ...], list[float]] = {}
        for batch in self._parquet().batches(_ROWS, self._known([of, *by])):
            keys = zip(*(batch.values(name) for name in by), strict=True) if by else itertools.repeat(())
            for key, value in zip(keys, batch.values(of), strict=False):
                group = groups.setdefault(key, [0, 0.0, 0.0, math.inf, -math.inf])
                if value is None or value != value:
                    continue
                if isinstance(value, str):
                    raise TypeError(f"found texts in {of!r}; expected a column of numbers")
                # Welford's sums: without the loss of digits of a sum of squares.
                group[0] += 1
                from_mean = value - group[1]
                group[1] += from_mean / group[0]
                group[2] += from_mean * (value - group[1])
                group[3], group[4] = min(group[3], value), max(group[4], value)
        found: list[dict[str, Any]] = []
        for key, (count, mean, squares, least, greatest) in groups.items():
            row: dict[str, Any] = {**dict(zip(by, key, strict=True)), "count": int(count)}
            numbers = {
                "mean": mean,
                "sd": math.sqrt(squares / (count - 1)) if count > 1 else math.nan,
                "min": least,
                "max": greatest,
            }
            found.append({**row, **(numbers if count else dict.fromkeys(numbers, math.nan))})
        return found

    def _known(self, names: list[str]) -> list[str]:
        known = self.columns
        for name in names:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise KeyError(f"found no column {name!r}; expected one of {', '.join(known)}{hint}")
        return names

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The table as an Arrow stream, which reads the file as it is asked for more."""
        return self._parquet().__arrow_c_stream__(requested_schema)

    def to_polars(self) -> Any:
        """As ``polars.DataFrame``."""
        return _library("polars").DataFrame(self)

    def to_pandas(self) -> Any:
        """As ``pandas.DataFrame``."""
        return to_pandas(self)

    def to_arrow(self) -> Any:
        """As ``pyarrow.Table``."""
        return _library("pyarrow").table(self)

    def __repr__(self) -> str:
        return f"Sweep({self.file!r})"


What = Scene | Path | Mapping[str, Value]
"""A scene, its name or file, or one made in code."""


def sweep(
    scene: What | Sequence[Scene | Path],
    *,
    seeds: Iterable[int] | None = None,
    vary: Mapping[str, Sequence[Value]] | None = None,
    between: Mapping[str, tuple[float, float]] | None = None,
    sample: int | None = None,
    design: Literal["sobol", "lhs"] = "sobol",
    out: Path | None = None,
    duration: float | None = None,
    on: Literal["threads", "ray"] | Ray = "threads",
    threads: int | None = None,
    shard: tuple[int, int] | None = None,
    record: Path | None = None,
    record_options: Mapping[str, Any] | None = None,
    chunk_runs: int | None = None,
    quiet: bool = False,
    program: Path | None = None,
) -> Sweep:
    """Runs each scene with each point of the values and each seed: ``becomingone sweep``, the same rows.

    A run that fails is a row with its ``error``. Rows and hashes do not depend on threads, shards or machines; ``wall_s``
    does. With ``out``, the same call again does only what is missing: the folder ``OUT.parts`` has the plan and what is done.

    Args:
        scene: A scene, or several, which have the same overlays.
        seeds: Seeds of the runs; ``None``: the scene's own.
        vary: Values of paths of the scene, each in turn, all combinations: ``{"agents.rover.controller.speed_m_s": [0.5, 1.0]}``.
        between: Bounds of paths, over which ``sample`` points are spread.
        sample: Number of these points.
        design: How they are spread: a Sobol sequence, even for powers of 2, or a Latin hypercube.
        out: The table (Parquet). ``None``: a temporary one, which lives with the result.
        duration: Simulated time of a run (s); ``None``: to the scene's end.
        on: ``"threads"`` of this machine, or a cluster: ``"ray"``, :class:`Ray`.
        threads: Runs at a time; ``None``: as many as processors.
        shard: ``(i, n)``: does the i-th of n shares alone, from 1 on. All have the same ``out`` on a shared file system.
        record: Folder for a recording of each run, ``run-000123.mcap``: on the machine where it is run, or an address of any
            file system of fsspec, ``s3://bucket/runs``, where each is put as its chunk is done.
        record_options: Options of that file system, as fsspec takes them; JSON on a cluster.
        chunk_runs: Runs of a chunk, which is done as a whole; ``None``: those of about 20 s.
        quiet: Prints no progress on ``sys.stderr``.
        program: A program ``becomingone`` with plugins of its own, in place of this package's.

    Raises:
        SceneError: The scene is wrong, also with the first values.
        SweepError: The program refuses what is asked for.
        RunError: A file cannot be written, or the cluster cannot do a chunk.
        Unavailable: ``on="ray"`` without Ray; an address without fsspec, or without the library of its file system.

    Example:
        >>> sweep("robot", seeds=range(100), vary={"agents.rover.controller.speed_m_s": [0.5, 1.0]}).to_polars()
    """
    if shard is not None and out is None:
        raise SweepError("found shard without out; expected both: all shards have the same table")
    if out is None:
        folder = tempfile.TemporaryDirectory(prefix="becomingone-")
        result = Sweep(os.path.join(folder.name, "sweep.parquet"))
        result._folder = folder  # its own class
    else:
        result = Sweep(os.path.abspath(out))
    table = result.file
    if isinstance(scene, Scene | str | os.PathLike | Mapping):
        scenes = [_scene(scene)]
    else:
        scenes = [_scene(one) for one in scene]
    names, overlays, place = _scenes(scenes, f"{table}.parts")
    arguments = ["sweep", *names, "--out", table, *overlays]
    if seeds is not None:
        arguments += ["--seeds", _seeds(seeds)]
    for path, values in (vary or {}).items():
        arguments += ["--vary", f"{path}={','.join(_listed(value) for value in values)}"]
    for path, (low, high) in (between or {}).items():
        arguments += ["--between", f"{path}={float(low)!r}..{float(high)!r}"]
    remote = _remote(record, record_options)
    # On this machine until they are put where they belong; workers of a cluster have folders of their own.
    local = f"{table}.parts/recordings" if remote else None if record is None else os.path.abspath(record)
    options: dict[str, object] = {
        "--sample": sample,
        "--design": None if sample is None else design,
        "--duration": None if duration is None else f"{_nanoseconds(duration)}ns",
        "--threads": threads,
        "--shard": None if shard is None else f"{shard[0]}/{shard[1]}",
        "--record": local,
        "--chunk-runs": chunk_runs,
    }
    for option, value in options.items():
        if value is not None:
            arguments += [option, str(value)]
    environment = {**os.environ, "BECOMINGONE_PARENT": str(os.getpid())}
    if on != "threads":
        cluster = Ray() if on == "ray" else on
        _ray.library()
        arguments += ["--on", "ray"]
        if cluster.address is not None:
            arguments += ["--address", cluster.address]
        environment[_ray.OPTIONS] = cluster.options(remote)
        environment["BECOMINGONE_PYTHON"] = sys.executable
    if quiet:
        arguments.append("--quiet")
    command = _program.command() if program is None else [os.path.abspath(program)]
    is_here = remote is not None and on == "threads"
    uploads = Uploads(f"{table}.parts", str(local), remote) if remote and is_here else contextlib.nullcontext()
    with uploads:
        status, text = _run([*command, *arguments], environment, place, quiet)
    if status == 0 or (status == 1 and "\nerror: failed runs: " in f"\n{text}"):
        return result
    _, _, error = f"\n{text}".partition("\nerror: ")
    text = (error or text).strip() or f"{command[0]}: exit status {status}"
    if status == 2:
        for one in scenes:
            one.check()
        raise SweepError(text)
    raise RunError(text)


def _remote(record: Path | None, options: Mapping[str, Any] | None) -> Remote | None:
    """Where recordings belong, if that is no folder of this machine's own."""
    if record is None or "://" not in (address := os.fspath(record)):
        return None
    try:
        return Remote(address, options)
    except ImportError as error:
        raise Unavailable(f"record {address}: {error}; expected it: pip install fsspec, or what is named here") from error
    except (ValueError, TypeError) as error:
        raise SweepError(f"record {address}: {error}") from error


def _scenes(scenes: Sequence[Scene], folder: str) -> tuple[list[str], list[str], str | None]:
    """Names of scenes, their overlays as arguments, and the folder where these are valid."""
    natives = [one._native for one in scenes]  # a class of this package
    if not natives:
        raise SweepError("found no scene; expected at least one")
    first = natives[0]
    for other in natives[1:]:
        if other["texts"] or any(first[key] != other[key] for key in first if key != "what"):
            raise SweepError(
                "found several scenes with overlays of their own, or made in code; expected one of these, or several with the"
                " same overlays"
            )
    overlays: list[str] = []
    texts: Mapping[str, str] = first["texts"]

    def where(file: str) -> str:
        return file if file in texts or not os.path.exists(file) else os.path.abspath(file)

    for option, key in [("--profile", "profiles"), ("--config", "configs")]:
        for file in first[key]:
            overlays += [option, where(file)]
    for one in first["sets"]:
        overlays += ["--set", one]
    if first["model"] is not None:
        overlays += ["--model", where(first["model"])]
    if not texts:
        return [native["what"] for native in natives], overlays, None
    # Beside the parts: the plan of a sweep that is begun again names the same files.
    os.makedirs(folder, exist_ok=True)
    for name, text in texts.items():
        if name.endswith(".yaml"):
            text = _yaml(_absolute(_plain({"version": 1, **(scenes[0]._mapping or {})})))
        with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
            out.write(text)
    return [first["what"]], overlays, folder


def _absolute(value: Value) -> Value:
    """A scene made in code, whose files are those of the working folder, as it is read in another one."""
    if isinstance(value, str):
        is_file = os.path.splitext(value)[1] != "" and os.path.isfile(value)
        return os.path.abspath(value) if is_file else value
    if isinstance(value, Mapping):
        return {key: _absolute(one) for key, one in value.items()}
    return [_absolute(one) for one in value] if isinstance(value, Sequence) else value


def _seeds(seeds: Iterable[int]) -> str:
    if isinstance(seeds, range) and seeds.step == 1 and len(seeds) > 0:
        return f"{seeds.start}..{seeds.stop}"
    listed = [int(seed) for seed in seeds]
    if not listed:
        raise SweepError("found no seed; expected at least one")
    if len(listed) > 1 and all(b == a + 1 for a, b in zip(listed, listed[1:], strict=False)):
        return f"{listed[0]}..{listed[-1] + 1}"
    text = ",".join(str(seed) for seed in listed)
    if len(text) > 100_000:
        raise SweepError(f"found a list of {len(listed)} seeds; expected fewer, or a range")
    return text


def _listed(value: Value) -> str:
    """A value among others, which commas part."""
    text = _ron(value)
    if isinstance(value, str):
        opened = 0
        for letter in text:
            opened += (letter in "([{") - (letter in ")]}")
            if letter == "," and opened == 0 and not text.startswith('"'):
                return json.dumps(text, ensure_ascii=False)
        # A text that looks like another value is one nevertheless.
        is_value = _VALUE.fullmatch(text.strip()) is not None
        return json.dumps(text, ensure_ascii=False) if is_value or not text else text
    return text


_VALUE = re.compile(r"[+-]?(\d[\d_]*(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|NaN|nan)|0[xob][0-9a-fA-F_]+|true|false")
"""Numbers and truth values as RON, YAML and tables read them."""


def _nanoseconds(seconds: float) -> int:
    if not seconds > 0 or seconds == float("inf"):
        raise SweepError(f"found a duration of {seconds} s; expected a positive one")
    return max(1, round(seconds * 1e9))


def _run(command: Sequence[str], environment: Mapping[str, str], folder: str | None, quiet: bool) -> tuple[int, str]:
    """Runs the program; returns its exit status and what it printed on stderr."""
    is_posix = os.name == "posix"
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        cwd=folder,
        env=environment,
        # Ctrl-C comes from here, once, to the program and what it has started.
        process_group=0 if is_posix else None,
    )
    lines: list[str] = []
    assert child.stderr is not None
    reader = threading.Thread(target=_forward, args=(child.stderr, lines, quiet), daemon=True)
    reader.start()
    try:
        _wait(child)
    except BaseException:
        try:
            if is_posix:
                os.killpg(child.pid, signal.SIGINT)
            else:
                child.terminate()
            _wait(child, 10.0)
        except KeyboardInterrupt:
            # Ctrl-C once more: at once.
            pass
        if child.poll() is None:
            # With all that it has started.
            if is_posix:
                os.killpg(child.pid, signal.SIGKILL)
            else:
                child.kill()
            child.wait()
        raise
    status = child.wait()
    reader.join(timeout=5.0)
    return status, "".join(lines)


def _wait(child: subprocess.Popen[str], most_s: float = math.inf) -> None:
    """Waits for its end, at most so long. `Popen.wait` keeps a Ctrl-C for itself for a moment, and the next one with it."""
    pause_s, until = 0.001, time.monotonic() + most_s
    while child.poll() is None and time.monotonic() < until:
        time.sleep(pause_s)
        pause_s = min(2.0 * pause_s, 0.05)


def _forward(stream: IO[str], lines: list[str], quiet: bool) -> None:
    """Keeps the lines of the program, and repeats them."""
    for line in stream:
        if not quiet and not line.startswith("error: "):
            print(line, end="", file=sys.stderr, flush=True)
        if " runs/s" not in line:
            lines.append(line)
