"""What ``test_ray.py`` judges: sweeps on two nodes, of which one is lost, and drivers that are killed. Writes facts as JSON.

``python ray_scenario.py PROGRAM RUNS FACTS``, in a network namespace of its own.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from ray_nodes import ADDRESS, Nodes, arguments, in_this_namespace, listening

import becomingone as b1
from becomingone import _program, _ray

DURATION_S = 0.5
CHUNK = 5


def wait(what: str, until: Callable[[], bool], most_s: float) -> float:
    """Waits for something; returns how long (s)."""
    begun = time.monotonic()
    while not until():
        assert time.monotonic() - begun < most_s, f"not within {most_s} s: {what}"
        time.sleep(0.02)
    return time.monotonic() - begun


def parts(out: Path) -> dict[str, int]:
    """Parts that are there, with what tells one file from another of the same name."""
    return {file.name: file.stat().st_ino for file in Path(f"{out}.parts").glob("part-*.parquet")}


def hashes(sweep: b1.Sweep) -> dict[int, str]:
    table = sweep.to_arrow().to_pydict()
    assert table["error"] == [None] * len(table["error"]), table["error"]
    return dict(zip(table["seed"], table["state_hash"], strict=True))


def own(text: str) -> str:
    """Lines of standard error but for Ray's own: it finds no network here."""
    return "\n".join(line for line in text.splitlines() if "network_util.cc" not in line)


def engines() -> list[psutil.Process]:
    """Programs that do a chunk."""
    return [one for one in psutil.process_iter() if "/dev/stdin" in arguments(one)]


class Scenario:
    def __init__(self, program: str, runs: int, folder: Path) -> None:
        self.given, self.runs, self.folder = program, runs, folder
        self.command = [program] if program else _program.command()
        self.facts: dict[str, Any] = {"runs": runs, "load": os.getloadavg()[0]}

    def loop(self) -> dict[int, str]:
        """Each run in this process, one after the other."""
        found, took, engine = {}, [], 0.0
        for seed in range(self.runs):
            begun = time.monotonic()
            summary = b1.run("robot", seed=seed, duration=DURATION_S)
            took.append(time.monotonic() - begun)
            found[seed] = summary.state_hash
            engine += summary.wall_s
        self.facts["loop"] = {
            "wall_s": sum(took),
            "median_s": statistics.median(took),
            "overhead_s_a_run": (sum(took) - engine) / self.runs,
        }
        return found

    def on_ray(self, **more: Any) -> tuple[b1.Sweep, float]:
        begun = time.monotonic()
        given: dict[str, Any] = {"seeds": range(self.runs), "chunk_runs": CHUNK, "duration": DURATION_S}
        result = b1.sweep("robot", program=self.given or None, on=b1.Ray(ADDRESS), **{**given, **more})
        return result, time.monotonic() - begun

    def undisturbed(self, processors: int) -> None:
        """What a run takes beside its engine, with all that is done once."""
        result, wall = self.on_ray()
        engine = sum(result.to_arrow().to_pydict()["wall_s"])
        self.facts["undisturbed"] = {
            "wall_s": wall,
            "engine_s": engine,
            "overhead_s_a_run": (wall * processors - engine) / self.runs,
        }

    def node_lost(self, nodes: Nodes, node: int, expected: dict[int, str]) -> None:
        out = self.folder / "lost.parquet"
        found: dict[str, Any] = {}

        def sweep() -> None:
            try:
                found["sweep"], found["wall_s"] = self.on_ray(out=out)
            except Exception as error:
                found["error"] = repr(error)

        thread = threading.Thread(target=sweep, daemon=True)
        thread.start()
        quarter = self.runs // CHUNK // 4
        wait("a quarter of the parts", lambda: len(parts(out)) >= quarter or not thread.is_alive(), 300)
        before = len(parts(out))
        sockets = listening()
        killed = nodes.kill(node, "/dev/stdin")
        thread.join(timeout=600)
        assert not thread.is_alive() and "sweep" in found, found
        result: b1.Sweep = found["sweep"]
        rows = result.to_arrow().to_pydict()
        self.facts["node_lost"] = {
            "rows": len(result),
            "failed": result.failed,
            "distinct_runs": len(set(rows["run"])),
            "distinct_seeds": len(set(rows["seed"])),
            "equal_hashes": sum(expected[seed] == text for seed, text in hashes(result).items()),
            "parts_before": before,
            "killed": len(killed),
            "left_of_node": [pid for pid in killed if psutil.pid_exists(pid)],
            "wall_s": found["wall_s"],
            "temporary": [file.name for file in Path(f"{out}.parts").iterdir() if file.name.endswith(".tmp")],
        }
        self.facts["sockets"] = sockets

    def begin(self, out: Path, **more: Any) -> subprocess.Popen[str]:
        given = [
            "sweep",
            "robot",
            "--duration",
            f"{DURATION_S}s",
            "--seeds",
            f"0..{self.runs}",
            "--chunk-runs",
            str(CHUNK),
            "--out",
            str(out),
        ]
        return subprocess.Popen(
            [*self.command, *given, "--on", "ray", "--address", ADDRESS],
            env={**os.environ, "BECOMINGONE_PYTHON": sys.executable},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **more,
        )

    def driver(self, child: subprocess.Popen[str]) -> psutil.Process:
        for one in psutil.Process(child.pid).children():
            if "becomingone.ray" in arguments(one):
                return one
        raise AssertionError("no driver")

    def driver_killed(self, expected: dict[int, str]) -> None:
        out = self.folder / "killed.parquet"
        facts: dict[str, Any] = {}
        self.facts["driver_killed"] = facts
        all_parts = -(-self.runs // CHUNK)
        # The driver alone: the program reports it.
        child = self.begin(out)
        wait("parts", lambda: len(parts(out)) >= all_parts // 5, 120)
        self.driver(child).kill()
        _, facts["error"] = child.communicate(timeout=30)
        facts["status"] = child.returncode
        facts["parts_1"] = first = parts(out)
        facts["engines_end_s"] = wait("the engines' end", lambda: not engines(), 30)
        # The program alone: the driver ends by itself.
        child = self.begin(out)
        wait("parts", lambda: len(parts(out)) >= len(first) + all_parts // 5, 120)
        driver = self.driver(child)
        child.kill()
        child.wait()
        facts["driver_ends_s"] = wait("the driver's end", lambda: not driver.is_running(), 30)
        facts["engines_end_2_s"] = wait("the engines' end", lambda: not engines(), 30)
        if child.stdout and child.stderr:
            child.stdout.close()
            child.stderr.close()
        facts["parts_2"] = second = parts(out)
        # Only what is missing: chunks are counted where they are run.
        log, counter = self.folder / "chunks", self.folder / "counter"
        counter.write_text(f'#!/bin/sh\necho "$*" >>{log}\nexec {shlex.join(self.command)} "$@"\n')
        counter.chmod(0o755)
        plan = f"{out}.parts/plan.json"
        missing = _ray.missing(self.command, plan)
        given = ["--plan", plan, "--out", str(out), "--address", ADDRESS, "--program", str(counter)]
        subprocess.run([sys.executable, "-m", "becomingone.ray", *given], check=True, timeout=300)
        texts = [text.split() for text in log.read_text().splitlines()]
        facts["missing"] = missing
        facts["run"] = sorted(int(text[text.index("--part") + 1]) for text in texts if "--part" in text)
        facts["parts_3"] = parts(out)
        facts["kept"] = all(facts["parts_3"].get(name) == one for name, one in {**first, **second}.items())
        result, _ = self.on_ray(out=out)
        facts["rows"] = len(result)
        facts["equal_hashes"] = sum(expected[seed] == text for seed, text in hashes(result).items())

    def wrong_values(self) -> None:
        result, _ = self.on_ray(seeds=range(5), chunk_runs=2, vary={"agents.rover.controller.speed_m_s": [0.5, -1.0]})
        self.facts["wrong_values"] = {"rows": len(result), "errors": result.errors()}

    def refused(self) -> None:
        """A driver with another token."""
        token = os.environ["RAY_AUTH_TOKEN"]
        os.environ["RAY_AUTH_TOKEN"] = "0" * len(token)
        begun = time.monotonic()
        try:
            self.on_ray(seeds=range(2))
            self.facts["refused"] = {"error": None}
        except b1.Error as error:
            self.facts["refused"] = {"error": str(error), "s": time.monotonic() - begun}
        os.environ["RAY_AUTH_TOKEN"] = token

    def broken(self) -> None:
        """A program that cannot do a chunk is tried once on each processor at most, not once for each chunk."""
        out = self.folder / "broken.parquet"
        child = self.begin(out)
        wait("a part", lambda: len(parts(out)) > 0, 60)
        self.driver(child).kill()
        child.communicate(timeout=30)
        wait("the engines' end", lambda: not engines(), 30)
        log, broken = self.folder / "tried", self.folder / "broken"
        command = shlex.join(self.command)
        fails = f'echo "$*" >>{log}; echo "error: no chunk" >&2; exit 3'
        broken.write_text(f'#!/bin/sh\ncase "$*" in *--part*) {fails};; esac\nexec {command} "$@"\n')
        broken.chmod(0o755)
        given = ["--plan", f"{out}.parts/plan.json", "--out", str(out), "--address", ADDRESS, "--program", str(broken)]
        done = subprocess.run([sys.executable, "-m", "becomingone.ray", *given], capture_output=True, text=True, timeout=120)
        tried = log.read_text().splitlines() if log.exists() else []
        self.facts["broken"] = {"status": done.returncode, "error": done.stderr, "tried": tried}

    def trials(self) -> None:
        """`calibrate` and `score`, on threads and on the cluster."""
        log = self.folder / "trials"
        scene = self.folder / "scene.ron"
        scene.write_text((Path(__file__).parents[3] / "scenes" / "warehouse_robot.ron").read_text())
        facts: dict[str, Any] = {}
        self.facts["trials"] = facts
        for verb, option, more in [
            ("calibrate", "--out", ["--runs", "3", "--duration", "40s", "--set", "agents.rover.controller.speed_m_s=0.8"]),
            ("score", "--json", ["--faults", "gyro frozen", "--runs", "2", "--healthy", "5s"]),
        ]:
            facts[verb] = {}
            for on in ("threads", "ray"):
                out = self.folder / f"{verb}.out"
                out.unlink(missing_ok=True)
                where = ["--on", "ray", "--address", ADDRESS] if on == "ray" else []
                command = [*self.command, verb, str(scene), *more, option, str(out), *where]
                env = {**os.environ, "BECOMINGONE_PYTHON": sys.executable}
                done = subprocess.run(command, capture_output=True, text=True, timeout=200, env=env)
                facts[verb][on] = {
                    "status": done.returncode,
                    "printed": done.stdout,
                    "error": own(done.stderr),
                    "file": out.read_text() if out.exists() else "",
                }
        # The same by the protocol alone, with runs that are counted, and one that cannot be done.
        plan = json.dumps({"plan": "", "arguments": ["calibrate", "x"]})
        broken = self.folder / "broken_trial"
        broken.write_text(f'#!/bin/sh\necho "$*" >>{log}; echo "error: no run" >&2; exit 3\n')
        broken.chmod(0o755)
        command = [sys.executable, "-m", "becomingone.ray", "--trials", "--address", ADDRESS, "--program", str(broken)]
        lines = "".join(json.dumps({"trial": f"run:{k}"}) + "\n" for k in range(3))
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(f"{plan}\n{lines}")
        child.stdin.flush()
        answers = [json.loads(child.stdout.readline() or "{}") for _ in range(3)]
        _, text = child.communicate(timeout=60)
        assert all(answers), text
        facts["tasks"] = len({one["trial"] for one in answers})
        facts["broken"] = {"status": 1 if all("error" in one for one in answers) else 0, "error": answers[0].get("error", text)}

    def recorded(self) -> None:
        """Recordings that workers put where they belong; and no progress where none is wanted."""
        to = self.folder / "recorded"
        self.on_ray(seeds=range(4), chunk_runs=2, duration=0.05, record=f"file://{to}")
        self.facts["recorded"] = sorted(file.name for file in to.iterdir())
        command = [*self.command, "sweep", "robot", "--seeds", "0..2", "--duration", "50ms", "--chunk-runs", "1", "--quiet"]
        out = str(self.folder / "quiet.parquet")
        env = {**os.environ, "BECOMINGONE_PYTHON": sys.executable}
        where = ["--out", out, "--on", "ray", "--address", ADDRESS]
        done = subprocess.run([*command, *where], capture_output=True, text=True, timeout=120, env=env)
        self.facts["quiet"] = {"status": done.returncode, "error": own(done.stderr)}

    def interrupted(self) -> None:
        """Ctrl-C of a terminal."""
        out = self.folder / "interrupted.parquet"
        child = self.begin(out, process_group=0)
        wait("parts", lambda: len(parts(out)) >= 2, 120)
        begun = time.monotonic()
        os.killpg(child.pid, signal.SIGINT)
        _, text = child.communicate(timeout=60)
        self.facts["interrupted"] = {
            "status": child.returncode,
            "error": text,
            "s": time.monotonic() - begun,
            "engines_end_s": wait("the engines' end", lambda: not engines(), 30),
            "temporary": [file.name for file in Path(f"{out}.parts").iterdir() if file.name.endswith(".tmp")],
        }

    def shipped(self) -> None:
        """Where workers find what was sent to them: the package as it is, or a wheel (of its Python alone: it is large)."""
        wheel = self.folder / "becomingone-0.1.0-py3-none-any.whl"
        package = Path(b1.__file__).parent
        info = "becomingone-0.1.0.dist-info"
        with zipfile.ZipFile(wheel, "w") as archive:
            for file in package.rglob("*.py"):
                archive.write(file, Path("becomingone") / file.relative_to(package))
            archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: becomingone\nVersion: 0.1.0\n")
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{info}/RECORD", "")
        for name, given in [("package", "ship=True"), ("wheel", f"runtime_env={{'py_modules': [{str(wheel)!r}]}}")]:
            code = (
                "import importlib.util, becomingone._ray as r; ray = r.library();"
                f"r._connect(ray, r.Ray({ADDRESS!r}, {given}));"
                "find = ray.remote(lambda: importlib.util.find_spec('becomingone').origin);"
                "print(ray.get(find.remote(), timeout=60))"
            )
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
            self.facts[f"shipped_{name}"] = done.stdout.strip() or done.stderr[-3000:]
        help_text = subprocess.run([*_program.command(), "sweep", "--help"], capture_output=True, text=True, timeout=60)
        if help_text.returncode == 0:
            cluster = b1.Ray(ADDRESS, ship=True)
            result = b1.sweep("robot", seeds=range(4), duration=0.1, on=cluster, program=self.given or None)
            self.facts["ship_rows"] = len(result)


def main() -> None:
    program, runs, out = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    only = sys.argv[4:]
    with tempfile.TemporaryDirectory(prefix="becomingone-") as folder:
        scenario = Scenario(program, runs, Path(folder))
        times: dict[str, float] = {}

        def timed(name: str, do: Callable[[], Any]) -> Any:
            if only and name not in [*only, "loop", "head", "node", "end"]:
                return None
            begun = time.monotonic()
            value = do()
            times[name] = round(time.monotonic() - begun, 1)
            print(name, times[name], file=sys.stderr, flush=True)
            return value

        expected = timed("loop", scenario.loop)
        nodes = timed("head", Nodes)
        try:
            os.environ.update(nodes.env)
            node = timed("node", nodes.add)
            timed("undisturbed", lambda: scenario.undisturbed(2))
            timed("node_lost", lambda: scenario.node_lost(nodes, node, expected))
            timed("driver_killed", lambda: scenario.driver_killed(expected))
            timed("wrong_values", scenario.wrong_values)
            timed("broken", scenario.broken)
            timed("trials", scenario.trials)
            timed("recorded", scenario.recorded)
            timed("interrupted", scenario.interrupted)
            timed("shipped", scenario.shipped)
            timed("refused", scenario.refused)
        finally:
            timed("end", nodes.end)
        scenario.facts["times"] = times
    scenario.facts["left"] = in_this_namespace()
    out.write_text(json.dumps(scenario.facts, indent=1))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main()
