"""Chunks of a sweep, and runs of ``calibrate`` and ``score``, as tasks of Ray: the driver's side, and what a worker does."""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from . import _program, _recordings
from ._recordings import Remote
from .errors import RunError, Unavailable

OPTIONS = "BECOMINGONE_RAY"
"""Variable of the environment with what :class:`Ray` has beside the address, as JSON."""

FLYING = 4
"""Most chunks that the cluster has at once, for each of its processors: a task that waits takes 6 kB of the driver."""

RESOURCES_S = 5.0
"""How often the processors of the cluster are counted (s): it may grow and shrink."""

POLL_S = 0.5
"""How often the driver looks after its parent and its progress (s)."""


@dataclass(frozen=True)
class Ray:
    """A cluster of Ray, for :func:`becomingone.sweep`.

    The workers need the program: this package in their Python (an image with its wheel), or
    ``ship=True``. On one machine they have it. Token authentication is as the environment says (``RAY_AUTH_MODE``,
    ``RAY_AUTH_TOKEN``), which must be the same as that of the nodes.

    Attributes:
        address: ``"auto"``, ``"10.0.0.1:6379"`` or ``"ray://10.0.0.1:10001"``; ``None``: the cluster on this machine, which
            is started where there is none.
        runtime_env: What Ray prepares on each node; its text must be JSON. A wheel travels by ``{"py_modules":
            ["becomingone-0.1.0-cp311-abi3-manylinux_2_28_x86_64.whl"]}``, which pip installs on each node.
        ship: Sends this package, as it is installed here, to the nodes, without pip: they need the same system, Python 3.11
            or later, and numpy.
        retries: How often a chunk is begun again where its worker or node was lost; -1: always. A run that fails is a row,
            and is never begun again.
    """

    address: str | None = None
    runtime_env: Mapping[str, Any] | None = None
    ship: bool = False
    retries: int = 5

    def options(self, record: Remote | None = None) -> str:
        """All but the address, as JSON for the variable :data:`OPTIONS`; and where recordings belong."""
        env = None if self.runtime_env is None else dict(self.runtime_env)
        found: dict[str, Any] = {"runtime_env": env, "ship": self.ship, "retries": self.retries}
        if record is not None:
            found |= {"record": record.address, "record_options": record.options}
        return json.dumps(found)

    @classmethod
    def of(cls, address: str | None, options: str) -> tuple[Ray, Remote | None]:
        """The inverse of :meth:`options`.

        Raises:
            ValueError: The text is no JSON, or has other keys.
        """
        wrong = (
            f"{OPTIONS}: found {options}; expected a JSON object of runtime_env (object), ship (true or false), retries"
            " (number), record (text), record_options (object)"
        )
        try:
            read: object = json.loads(options or "{}")
        except ValueError as error:
            raise ValueError(f"{wrong}: {error}") from error
        found = cast("dict[str, Any]", read) if isinstance(read, dict) else None
        kinds: dict[object, tuple[type, ...]] = {
            "runtime_env": (dict, type(None)),
            "ship": (bool,),
            "retries": (int,),
            "record": (str,),
            "record_options": (dict,),
        }
        if found is None or not all(
            key in kinds and isinstance(value, kinds[key]) for key, value in found.items()
        ):
            raise ValueError(wrong)
        record, record_options = found.pop("record", None), found.pop("record_options", None)
        return cls(address, **found), None if record is None else Remote(record, record_options)


def library() -> Any:
    """The module of Ray.

    Raises:
        Unavailable: It is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise Unavailable('found no Ray; expected it: pip install "becomingone[ray]"') from error


def run_chunks(
    plan: str,
    program: str,
    cluster: Ray,
    record: Remote | None,
    report: Callable[[int, int, float], None],
    parent: int,
) -> None:
    """Does the chunks of a plan that have no part beside it, each as a task, and writes their parts.

    Args:
        plan: File of the plan.
        program: File of the program.
        cluster: Where.
        record: Where recordings belong; ``None``: as the plan says.
        report: Called about twice a second: runs done, runs in all, processors of the cluster.
        parent: The process that started this one.

    Raises:
        Unavailable: Ray is not installed.
        RunError: The cluster is not reached, a node cannot do a chunk, or the parent has ended.
    """
    ray = library()
    local = _command(program)
    folder = os.path.dirname(plan)
    with open(plan, "rb") as file:
        text = file.read()
    head = json.loads(text)
    runs, size, chunks = int(head["runs"]), int(head["chunk_runs"]), int(head["chunks"])
    todo = missing(local, plan)
    done = runs - sum(_runs(one, size, runs) for one in todo)
    if not todo:
        return
    todo.reverse()
    _connect(ray, cluster)
    try:
        # By value: nodes need not have this package.
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        ray.cloudpickle.register_pickle_by_value(_recordings)
        task = ray.remote(num_cpus=1, max_retries=cluster.retries)(do_chunk)
        shared = ray.put(text)
        programs = _programs(program, cluster)
        flying: dict[Any, int] = {}
        lost: list[tuple[int, str]] = []
        known = ray.exceptions
        is_lost = (known.WorkerCrashedError, known.NodeDiedError, known.ObjectLostError, known.OutOfMemoryError)
        processors, counted = 0.0, -RESOURCES_S
        while todo or flying:
            now = time.monotonic()
            if now - counted >= RESOURCES_S:
                processors, counted = float(ray.cluster_resources().get("CPU", 0.0)), now
            while todo and len(flying) < FLYING * max(1.0, processors):
                chunk = todo.pop()
                if os.path.exists(part(folder, chunk)):
                    # A shard has done it meanwhile.
                    done += _runs(chunk, size, runs)
                else:
                    flying[task.remote(shared, chunk, programs, record)] = chunk
            if flying:
                ray.wait(list(flying), num_returns=1, timeout=POLL_S)
                # All that are ready by now: a wait costs by the number of tasks.
                ready, _ = ray.wait(list(flying), num_returns=len(flying), timeout=0)
                for reference in ready:
                    chunk = flying.pop(reference)
                    try:
                        rows: bytes = ray.get(reference)
                    except is_lost as error:
                        lost.append((chunk, str(error).strip().splitlines()[0]))
                        continue
                    except ray.exceptions.RayError as error:
                        # The same on each node, most likely: the others are not tried.
                        raise RunError(f"chunk {chunk}: {getattr(error, 'cause', None) or error}") from error
                    write_whole(part(folder, chunk), rows)
                    done += _runs(chunk, size, runs)
            report(done, runs, processors)
            if os.getppid() != parent:
                raise RunError("the process that started this one has ended")
    finally:
        ray.shutdown()
    if lost:
        raise RunError(
            f"{len(lost)} of {chunks} chunks were lost with their nodes more than {cluster.retries} times, the first one"
            f" {lost[0][0]}: {lost[0][1]}"
        )


def run_trials(lines: Iterator[str], answer: Callable[[str], None], program: str, cluster: Ray, parent: int) -> None:
    """Does runs of ``calibrate`` and ``score``, each as a task, until there are no more lines and all is done.

    Args:
        lines: JSON: first the plan with the scene, and the arguments of the command; then a run a line.
        answer: Called with a line for each run that is done: what its program has printed, or why there is nothing.
        program: File of the program.
        cluster: Where.
        parent: The process that started this one.

    Raises:
        Unavailable: Ray is not installed.
        RunError: The cluster is not reached, or the parent has ended.
    """
    ray = library()
    _command(program)
    begin = json.loads(next(lines))
    asked: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        for line in lines:
            asked.put(json.loads(line)["trial"])
        asked.put(None)

    threading.Thread(target=read, daemon=True).start()
    _connect(ray, cluster)
    try:
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        task = ray.remote(num_cpus=1, max_retries=cluster.retries)(do_trial)
        shared = ray.put(begin["plan"].encode())
        programs = _programs(program, cluster)
        flying: dict[Any, str] = {}
        is_open = True
        while is_open or flying:
            while is_open:
                try:
                    trial = asked.get(timeout=0.0 if flying else POLL_S)
                except queue.Empty:
                    break
                if trial is None:
                    # The program needs no more, not even what still flies.
                    return
                flying[task.remote(shared, begin["arguments"], trial, programs)] = trial
            if flying:
                ready, _ = ray.wait(list(flying), num_returns=1, timeout=POLL_S / 10)
                for reference in ready:
                    trial = flying.pop(reference)
                    try:
                        answer(json.dumps({"trial": trial, "result": ray.get(reference)}))
                    except ray.exceptions.RayError as error:
                        why = str(getattr(error, "cause", None) or error).strip()
                        answer(json.dumps({"trial": trial, "error": why}))
            if os.getppid() != parent:
                raise RunError("the process that started this one has ended")
    finally:
        ray.shutdown()


def missing(command: Sequence[str], plan: str) -> list[int]:
    """Chunks of a plan without a part beside it.

    Raises:
        RunError: The program refuses the plan.
    """
    env = {**os.environ, "BECOMINGONE_PARENT": str(os.getpid())}
    arguments = [*command, "sweep", "--plan", plan, "--list"]
    done = subprocess.run(arguments, capture_output=True, text=True, env=env, check=False)
    if done.returncode != 0:
        raise RunError(done.stderr.strip().removeprefix("error: "))
    found: list[int] = json.loads(done.stdout)["missing"]
    return found


def part(folder: str, chunk: int) -> str:
    """File of a chunk's rows."""
    return os.path.join(folder, f"part-{chunk:06}.parquet")


def _runs(chunk: int, size: int, runs: int) -> int:
    return min(size, runs - chunk * size)


def write_whole(file: str, content: bytes) -> None:
    """Writes a file under another name, and renames it: it is there as a whole, or not."""
    temporary = f"{file}.{os.getpid()}.tmp"
    try:
        with open(temporary, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, file)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)
        raise


def _is_package(program: str) -> bool:
    """Whether this program is that of this package: its interpreter, or the script beside it."""
    same = [sys.executable, _program.path()]
    return any(one is not None and os.path.exists(one) and os.path.samefile(program, one) for one in same)


def _command(program: str) -> list[str]:
    """How this program is started here."""
    if not os.path.isfile(program):
        raise RunError(f"found no program {program}; expected that of becomingone")
    return _program.command() if _is_package(program) else [program]


def _programs(program: str, cluster: Ray) -> list[str]:
    """Files of the program on nodes, the first one that is there; an empty text is the package in the worker's Python."""
    file = os.path.abspath(program)
    return [""] if _is_package(program) else ["", file] if cluster.ship else [file, ""]


def _connect(ray: Any, cluster: Ray) -> None:
    env = dict(cluster.runtime_env or {})
    if cluster.ship:
        env["py_modules"] = [*env.get("py_modules", []), os.path.dirname(os.path.abspath(__file__))]
    try:
        ray.init(
            address=cluster.address,
            runtime_env=env or None,
            logging_level=logging.ERROR,
            log_to_driver=False,
            include_dashboard=None if cluster.address else False,
        )
    except (ValueError, ray.exceptions.RuntimeEnvSetupError) as error:
        raise RunError(f"Ray does not take what is given: {error}") from error
    except (OSError, RuntimeError, ray.exceptions.RayError) as error:
        where = cluster.address or "on this machine"
        raise RunError(
            f"found no cluster of Ray at {where}: {error}; expected one, with the RAY_AUTH_MODE and RAY_AUTH_TOKEN of its"
            " nodes in the environment here"
        ) from error


def do_chunk(plan: bytes, chunk: int, programs: Sequence[str], record: Remote | None) -> bytes:
    """A task: the rows of a chunk as Parquet. Runs on a worker, and uses nothing of this package there.

    Raises:
        RuntimeError: The program is not there, or refuses the plan.
    """
    arguments = ["sweep", "--plan", "/dev/stdin", "--part", str(chunk), "--to", "-"]
    if record is None:
        return _on_node(programs, arguments, plan)
    with tempfile.TemporaryDirectory(prefix="becomingone-") as folder:
        rows = _on_node(programs, [*arguments, "--record", folder], plan)
        record.put(folder, sorted(os.listdir(folder)))
    return rows


def do_trial(plan: bytes, arguments: Sequence[str], trial: str, programs: Sequence[str]) -> str:
    """A task: a run of ``calibrate`` or ``score``, as its program prints it.

    Raises:
        RuntimeError: The program is not there, or refuses the plan.
    """
    return _on_node(programs, [*arguments, "--trial", trial], plan).decode().strip()


def _on_node(programs: Sequence[str], arguments: Sequence[str], plan: bytes) -> bytes:
    """What the program of this node prints, with a plan on its standard input."""
    import importlib.util
    import platform

    command: list[str] | None = None
    for program in programs:
        if not program and importlib.util.find_spec("becomingone") is not None:
            command = [sys.executable, "-P", "-m", "becomingone"]
        elif program and os.access(program, os.X_OK):
            command = [program]
        if command is not None:
            break
    if command is None:
        files = ", ".join(program or "the package becomingone" for program in programs)
        raise RuntimeError(
            f"node {platform.node()}: found none of {files}; expected one: the package in the image, Ray(ship=True), or a"
            " runtime_env"
        )
    # The program ends with this worker, also where that is killed.
    env = {**os.environ, "BECOMINGONE_PARENT": str(os.getpid())}
    done = subprocess.run([*command, *arguments], input=plan, capture_output=True, env=env, check=False)
    if done.returncode != 0:
        text = done.stderr.decode(errors="replace").strip().removeprefix("error: ")
        raise RuntimeError(f"node {platform.node()}: exit status {done.returncode}: {text}")
    return done.stdout
