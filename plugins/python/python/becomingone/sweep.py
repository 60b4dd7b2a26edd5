"""Many runs as one table: each scene with each point of the values and each seed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any, Literal

from . import _program, _ray
from ._ray import Ray
from .data import ArrowStream, _library, to_pandas
from .errors import RunError, SweepError, Unavailable
from .scene import Path, Scene, Value, _plain, _ron, _scene, _yaml


class Sweep:
    """Table of a sweep, a row for each run: an Arrow table for other libraries.

    Columns: ``run``, ``scene``, ``seed``, the values that vary, ``ticks``, ``sim_s`` (s), ``scene_hash``, ``state_hash``,
    ``error`` (null where the run is well), the summary by dots (``rover.distance_m``), ``wall_s`` (s).

    Reading needs pyarrow or polars.

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
        for batch in self._batches(65_536, ["run", "error"]):
            table = batch.to_pydict() if hasattr(batch, "to_pydict") else batch.to_dict(as_series=False)
            pairs = zip(table["run"], table["error"], strict=True)
            found.update((run, error) for run, error in pairs if error is not None)
        return found

    def __len__(self) -> int:
        name, library = self._reader()
        if name == "pyarrow":
            return int(library.read_metadata(self.file).num_rows)
        return int(library.scan_parquet(self.file).select(library.len()).collect().item())

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        name, library = self._reader()
        schema = library.read_schema(self.file) if name == "pyarrow" else library.read_parquet_schema(self.file)
        return list(schema.names if name == "pyarrow" else schema)

    def batches(self, rows: int = 65_536) -> Iterator[ArrowStream]:
        """The table in pieces of at most so many rows: never all of it is held."""
        yield from self._batches(rows, None)

    def _batches(self, rows: int, columns: list[str] | None) -> Iterator[Any]:
        name, library = self._reader()
        if name == "pyarrow":
            with library.ParquetFile(self.file) as file:
                # A record batch speaks Arrow as an array: as a table, other libraries see its columns.
                table = _library("pyarrow").Table
                for batch in file.iter_batches(batch_size=rows, columns=columns):
                    yield table.from_batches([batch])
            return
        scanned = library.scan_parquet(self.file)
        if columns is not None:
            scanned = scanned.select(columns)
        for first in range(0, len(self), rows):
            yield scanned.slice(first, rows).collect()

    def _reader(self) -> tuple[str, Any]:
        """What reads Parquet here."""
        if not self.done:
            raise RunError(f"found no {self.file}; expected all parts to be done: those of other shards are missing")
        for name, module in [("pyarrow", "pyarrow.parquet"), ("polars", "polars")]:
            try:
                return name, _library(module)
            except Unavailable:
                continue
        raise Unavailable("found neither pyarrow nor polars; expected one: pip install pyarrow")

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The table as an Arrow stream."""
        name, library = self._reader()
        table = library.read_table(self.file) if name == "pyarrow" else library.read_parquet(self.file)
        return table.__arrow_c_stream__(requested_schema)

    def to_polars(self) -> Any:
        """As ``polars.DataFrame``."""
        self._reader()
        return _library("polars").read_parquet(self.file)

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
        record: Folder for a recording of each run, on the machine where it is run: ``run-000123.mcap``.
        chunk_runs: Runs of a chunk, which is done as a whole; ``None``: those of about 20 s.
        quiet: Prints no progress on ``sys.stderr``.
        program: A program ``becomingone`` with plugins of its own, in place of this package's.

    Raises:
        SceneError: The scene is wrong, also with the first values.
        SweepError: The program refuses what is asked for.
        RunError: A file cannot be written, or the cluster cannot do a chunk.
        Unavailable: ``on="ray"`` without Ray.

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
    options: dict[str, object] = {
        "--sample": sample,
        "--design": None if sample is None else design,
        "--duration": None if duration is None else f"{_nanoseconds(duration)}ns",
        "--threads": threads,
        "--shard": None if shard is None else f"{shard[0]}/{shard[1]}",
        "--record": None if record is None else os.path.abspath(record),
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
        environment[_ray.OPTIONS] = cluster.options(quiet)
        environment["BECOMINGONE_PYTHON"] = sys.executable
    if quiet:
        arguments.append("--quiet")
    command = _program.command() if program is None else [os.path.abspath(program)]
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
        return text or '""'
    return text


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
        status = child.wait()
    except BaseException:
        if is_posix:
            os.killpg(child.pid, signal.SIGINT)
        else:
            child.terminate()
        try:
            child.wait(timeout=10.0)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        raise
    reader.join(timeout=5.0)
    return status, "".join(lines)


def _forward(stream: IO[str], lines: list[str], quiet: bool) -> None:
    """Keeps the lines of the program, and repeats them."""
    for line in stream:
        if not quiet and not line.startswith("error: "):
            print(line, end="", file=sys.stderr, flush=True)
        if " runs/s" not in line:
            lines.append(line)
