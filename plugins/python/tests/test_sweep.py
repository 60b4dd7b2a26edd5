"""Sweeps on this machine. ``BECOMINGONE_PROGRAM`` names another program than the package's."""

from __future__ import annotations

import gc
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import psutil
import pytest

import becomingone as b1
from becomingone import _recordings as recordings, errors, sweep as sweep_function
from becomingone.scene import Value

module = sys.modules["becomingone.sweep"]
pl = pytest.importorskip("polars")
pytest.importorskip("pyarrow")
fsspec = pytest.importorskip("fsspec")

PROGRAM = os.environ.get("BECOMINGONE_PROGRAM") or None
SPEED = "agents.rover.controller.speed_m_s"


def sweep(scene: Any = "robot", **more: Any) -> b1.Sweep:
    return sweep_function(scene, **{"program": PROGRAM, "quiet": True, "duration": 0.2, **more})


def parts(out: Path) -> dict[str, tuple[int, int]]:
    return {file.name: (file.stat().st_ino, file.stat().st_mtime_ns) for file in Path(f"{out}.parts").glob("part-*.parquet")}


def test_rows_are_runs_in_the_order_of_the_plan() -> None:
    found = sweep(seeds=range(3, 5), vary={SPEED: [0.5, 1.0]}).to_polars()
    assert found["run"].to_list() == [0, 1, 2, 3]
    assert found["seed"].to_list() == [3, 4, 3, 4]
    assert found[SPEED].to_list() == [0.5, 0.5, 1.0, 1.0]
    assert found["ticks"].to_list() == [200] * 4
    for row in found.iter_rows(named=True):
        scene = b1.Scene("robot", set={SPEED: row[SPEED]})
        one = b1.run(scene, seed=row["seed"], duration=0.2)
        assert (row["state_hash"], row["scene_hash"]) == (one.state_hash, one.scene_hash)


def test_designs_spread_points_within_the_bounds() -> None:
    sobol = sweep(sample=4, between={SPEED: (0.5, 1.5)}, duration=0.01).to_polars()
    assert sobol[SPEED].to_list() == [0.5, 1.0, 1.25, 0.75]
    lhs = sweep(sample=4, between={SPEED: (0.5, 1.5)}, design="lhs", duration=0.01).to_polars()
    assert sorted(int((speed - 0.5) * 4) for speed in lhs[SPEED]) == [0, 1, 2, 3]


def test_the_same_call_does_only_what_is_missing(tmp_path: Path) -> None:
    out = tmp_path / "table.parquet"
    first = sweep(seeds=range(6), chunk_runs=2, out=out).to_polars()
    before = parts(out)
    (Path(f"{out}.parts") / "part-000001.parquet").unlink()
    again = sweep(seeds=range(6), chunk_runs=2, out=out).to_polars()
    after = parts(out)
    assert sorted(before) == sorted(after) == [f"part-00000{k}.parquet" for k in range(3)]
    assert [name for name in sorted(after) if before[name] != after[name]] == ["part-000001.parquet"]
    assert again.drop("wall_s").equals(first.drop("wall_s"))
    with pytest.raises(errors.SweepError, match=r"found another sweep:\n  seeds: found 0\.\.6, not 0\.\.7"):
        sweep(seeds=range(7), chunk_runs=2, out=out)


def test_shards_are_one_sweep(tmp_path: Path) -> None:
    out = tmp_path / "table.parquet"
    given: dict[str, Any] = {"seeds": range(6), "chunk_runs": 1, "out": out}
    assert not sweep(shard=(1, 3), **given).done
    part = sweep(shard=(3, 3), **given)
    with pytest.raises(b1.Error, match="those of other shards are missing"):
        part.to_polars()
    whole = sweep(shard=(2, 3), **given)
    assert whole.done and part.done
    assert whole.to_polars()["state_hash"].equals(sweep(seeds=range(6)).to_polars()["state_hash"])
    with pytest.raises(errors.SweepError, match="found shard without out"):
        sweep(shard=(1, 3), seeds=range(6))


def test_a_failed_run_is_a_row() -> None:
    found = sweep(seeds=range(2), vary={"duration_s": [0.1, -1.0]}, duration=None)
    assert (len(found), found.failed) == (4, 2)
    assert sorted(found.errors()) == [2, 3]
    assert all("expected a positive number" in text for text in found.errors().values())
    assert found.to_polars()["error"].null_count() == 2


@pytest.mark.parametrize(
    ("kind", "text", "given"),
    [
        (errors.SceneError, "did you mean `robot`", {"scene": "robo"}),
        (errors.SceneError, "unknown key `bla`", {"scene": b1.Scene("robot", set={"agents.rover.bla": 1})}),
        (errors.SweepError, "unknown key `x`", {"vary": {"x.y": [1]}}),
        (errors.SweepError, "no seed", {"seeds": []}),
        (errors.SweepError, "no scene", {"scene": []}),
        (errors.SweepError, "positive", {"duration": -1.0}),
        (errors.SweepError, "A < B", {"sample": 4, "between": {SPEED: (2.0, 1.0)}}),
        (errors.SweepError, "I from 1 to N", {"shard": (4, 3), "out": "never.parquet"}),
        (errors.SweepError, "overlays of their own", {"scene": ["robot", b1.Scene("vehicle", set={"seed": 1})]}),
    ],
)
def test_wrong_input_is_said(kind: type[Exception], text: str, given: dict[str, Any]) -> None:
    with pytest.raises(kind, match=text) as raised:
        sweep(**given)
    assert type(raised.value) is kind


def test_a_folder_that_is_not_there_is_said() -> None:
    with pytest.raises(b1.Error, match="nowhere"):
        sweep(seeds=[1], out="/nowhere/table.parquet")


def test_libraries_read_the_same_table() -> None:
    found = sweep(seeds=range(5), vary={SPEED: [0.5, 1.0]}, duration=0.01)
    frame = found.to_polars()
    assert found.to_arrow().num_rows == len(found) == frame.height == 10
    assert found.columns == frame.columns == list(found.to_arrow().column_names)
    assert pl.DataFrame(found).equals(frame)
    pandas = pytest.importorskip("pandas")
    read = found.to_pandas()
    assert isinstance(read, pandas.DataFrame) and read["state_hash"].tolist() == frame["state_hash"].to_list()
    pieces = [pl.DataFrame(piece) for piece in found.batches(4)]
    assert [piece.height for piece in pieces] == [4, 4, 2]
    assert pl.concat(pieces).equals(frame)
    duckdb = pytest.importorskip("duckdb")
    assert duckdb.sql(f"select count(*) from '{found.file}'").fetchall() == [(10,)]
    assert b1.Sweep(found.file).columns == found.columns


def test_nothing_else_is_needed_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    found = sweep(seeds=range(5), vary={SPEED: [0.5, 1.0]}, duration=0.05)
    frame = found.to_polars()
    for name in ("pyarrow", "pyarrow.parquet", "polars", "pandas"):
        monkeypatch.setitem(sys.modules, name, None)
    assert (len(found), found.failed, found.columns) == (10, 0, frame.columns)
    assert list(found.rows) == frame.to_dicts()
    arrays = found.to_numpy()
    assert list(arrays) == frame.columns
    for name, array in arrays.items():
        series = frame[name]
        if series.dtype.is_numeric():
            expected = series.cast(pl.Float64).fill_null(float("nan")).to_numpy()
            assert np.array_equal(array.astype(np.float64), expected, equal_nan=True), name
        else:
            assert array.tolist() == series.to_list(), name
    assert arrays["seed"].dtype == np.uint64 and arrays["ticks"].tolist() == [50] * 10
    assert list(found.to_numpy(["seed"])) == ["seed"]
    pieces = list(found.batches(4))
    assert [len(piece) for piece in pieces] == [4, 4, 2]
    with pytest.raises(errors.Unavailable, match="pip install polars"):
        found.to_polars()


def test_aggregates_are_those_of_polars() -> None:
    found = sweep(seeds=range(6), vary={SPEED: [0.5, 1.0]})
    of = "rover.distance_m"
    expected = found.to_polars().group_by(SPEED, maintain_order=True).agg(
        count=pl.len(), mean=pl.col(of).mean(), sd=pl.col(of).std(), min=pl.col(of).min(), max=pl.col(of).max()
    )
    for row, known in zip(found.aggregate(of, by=[SPEED]), expected.to_dicts(), strict=True):
        assert row == pytest.approx(known)
    [whole] = found.aggregate("ticks")
    assert (whole["count"], whole["mean"], whole["sd"], whole["min"], whole["max"]) == (12, 200, 0, 200, 200)
    with pytest.raises(KeyError, match="did you mean 'rover.distance_m'"):
        found.aggregate("rover.distance")
    with pytest.raises(TypeError, match="found texts"):
        found.aggregate("state_hash")


def test_a_text_that_looks_like_a_number_stays_a_text() -> None:
    names = ["7", "1e3", "true", "x"]
    found = sweep(seeds=[1], vary={"name": names}, duration=0.01).to_polars()
    assert found["name"].dtype == pl.String and found["name"].to_list() == names


class Bucket(fsspec.AbstractFileSystem):  # type: ignore[misc]
    """An object store: no folders, no renames, an object is there once it is written as a whole."""

    protocol = "bucket"
    objects: ClassVar[dict[str, bytes]] = {}
    keys: ClassVar[list[Any]] = []

    def __init__(self, *, key: str, **more: Any) -> None:
        super().__init__(**more)
        self.keys.append(key)

    def put_file(self, lpath: str, rpath: str, **_: Any) -> None:
        self.objects[self._strip_protocol(rpath)] = Path(lpath).read_bytes()

    def mv(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError("an object store has no renames")


fsspec.register_implementation("bucket", Bucket, clobber=True)


def test_recordings_are_put_into_any_file_system(tmp_path: Path) -> None:
    names = [f"run-{k:06}.mcap" for k in range(5)]
    given: dict[str, Any] = {"seeds": range(5), "duration": 0.05, "chunk_runs": 2}
    plain = tmp_path / "plain"
    sweep(record=plain, **given)
    contents = [len(b1.Recording(plain / name)["/rover/imu"]) for name in names]
    memory = fsspec.filesystem("memory")
    addresses = ["memory://runs/a", f"file://{tmp_path}/there", "bucket://b/runs"]
    for k, address in enumerate(addresses):
        out = tmp_path / f"{k}.parquet"
        options = {"key": "secret"} if address.startswith("bucket") else None
        sweep(record=address, record_options=options, out=out, **given)
        assert not Path(f"{out}.parts/recordings").exists(), "nothing stays here"
    files = {
        addresses[0]: {Path(name).name: memory.cat(name) for name in memory.find("/runs/a")},
        addresses[1]: {file.name: file.read_bytes() for file in (tmp_path / "there").iterdir()},
        addresses[2]: {Path(name).name: content for name, content in Bucket.objects.items()},
    }
    for address, found in files.items():
        assert sorted(found) == names, address
        for name, rows in zip(names, contents, strict=True):
            copy = tmp_path / "copy.mcap"
            copy.write_bytes(found[name])
            assert len(b1.Recording(copy)["/rover/imu"]) == rows
    assert set(Bucket.keys) == {"secret"}


def test_recordings_of_chunks_alone_that_are_done_are_put(tmp_path: Path) -> None:
    parts, folder = tmp_path / "parts", tmp_path / "parts" / "recordings"
    folder.mkdir(parents=True)
    (parts / "plan.json").write_text('{"chunk_runs": 2}')
    (parts / "part-000001.parquet").touch()
    for k in range(5):
        (folder / f"run-{k:06}.mcap").write_bytes(b"x")
    to = tmp_path / "there"
    with recordings.Uploads(str(parts), str(folder), recordings.Remote(f"file://{to}")):
        pass
    assert sorted(file.name for file in to.iterdir()) == ["run-000002.mcap", "run-000003.mcap"]
    assert len(list(folder.iterdir())) == 3


def test_a_place_for_recordings_that_is_wrong() -> None:
    with pytest.raises(errors.SweepError, match="record nope://"):
        sweep(record="nope://a", seeds=[1])


def test_without_fsspec_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(errors.Unavailable, match="pip install fsspec"):
        sweep(record="memory://a", seeds=[1])


def test_a_temporary_table_lives_with_its_object(tmp_path: Path) -> None:
    found = sweep(seeds=[1], duration=0.01)
    file = Path(found.file)
    assert file.is_file()
    shutil.copy(file, tmp_path / "kept.parquet")
    del found
    gc.collect()
    assert not file.parent.exists()
    assert len(b1.Sweep(tmp_path / "kept.parquet")) == 1


def test_scenes_made_in_code_and_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "box.urdf").write_text(
        '<robot name="box"><link name="base"><inertial><mass value="1"/>'
        '<inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/></inertial>'
        '<collision><geometry><box size="1 1 1"/></geometry></collision></link></robot>'
    )
    box: Value = {"version": 1, "name": "box", "agents": [{"name": "a", "model": "box.urdf", "position_m": [0, 0, 2]}]}
    for _ in range(2):
        found = sweep(box, seeds=range(2), out="table.parquet").to_polars()
    assert found["state_hash"].to_list() == [b1.run(box, seed=k, duration=0.2).state_hash for k in range(2)]
    both = sweep(["robot", "vehicle"], seeds=[7], duration=0.01).to_polars()
    assert both["scene"].to_list() == ["robot", "vehicle"]


def test_runs_are_recorded(tmp_path: Path) -> None:
    sweep(seeds=range(2), duration=0.05, record=tmp_path / "runs")
    files = sorted((tmp_path / "runs").iterdir())
    assert [file.name for file in files] == ["run-000000.mcap", "run-000001.mcap"]
    assert len(b1.Recording(files[1])["/rover/imu"]) > 0


@pytest.mark.parametrize(
    ("seeds", "text"),
    [
        (range(3, 9), "3..9"),
        ([4, 5, 6], "4..7"),
        ([9], "9"),
        (range(0, 6, 2), "0,2,4"),
        ((seed for seed in (5, 1)), "5,1"),
    ],
)
def test_seeds_as_the_program_takes_them(seeds: Iterable[int], text: str) -> None:
    assert module._seeds(seeds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (0.5, "0.5"),
        ([1, 2], "[1, 2]"),
        ("Auto", "Auto"),
        ("Tone(frequency_hz: 2, gain: 1)", "Tone(frequency_hz: 2, gain: 1)"),
        ("a,b", '"a,b"'),
        ("", '""'),
        ("1.5", '"1.5"'),
        ("-3e2", '"-3e2"'),
        ("true", '"true"'),
        ("Range", "Range"),
        ({"Tone": {"frequency_hz": 2}}, "Tone(frequency_hz: 2)"),
        (None, "None"),
    ],
)
def test_values_as_the_program_takes_them(value: Value, text: str) -> None:
    assert module._listed(value) == text


LONG = f"""
import sys, becomingone as b1
print("begun", flush=True)
b1.sweep("robot", seeds=range(10_000), duration=2.0, chunk_runs=2, out=sys.argv[1], program={PROGRAM!r}, quiet=True)
"""


def long(out: Path) -> tuple[subprocess.Popen[str], psutil.Process]:
    """A sweep that takes hours, and its program, once there are parts."""
    child = subprocess.Popen(
        [sys.executable, "-c", LONG, str(out)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 30
    while len(parts(out)) < 2:
        assert time.monotonic() < until and child.poll() is None, child.communicate()
        time.sleep(0.05)
    [program] = psutil.Process(child.pid).children()
    return child, program


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_the_program_ends_with_its_caller(end: signal.Signals, tmp_path: Path) -> None:
    out = tmp_path / "table.parquet"
    child, program = long(out)
    begun = time.monotonic()
    child.send_signal(end)
    _, text = child.communicate(timeout=20)
    assert ("KeyboardInterrupt" in text) == (end == signal.SIGINT)
    psutil.wait_procs([program], timeout=20)
    assert not program.is_running()
    assert time.monotonic() - begun < 10.0
    files = {file.suffix for file in Path(f"{out}.parts").iterdir()}
    assert files == {".json", ".parquet"} and not out.exists()


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_twice_ends_all_at_once(tmp_path: Path) -> None:
    out = tmp_path / "table.parquet"
    child, program = long(out)
    # A program that does not end by itself.
    program.suspend()
    begun = time.monotonic()
    child.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert child.poll() is None
    child.send_signal(signal.SIGINT)
    _, text = child.communicate(timeout=20)
    assert "KeyboardInterrupt" in text and time.monotonic() - begun < 5.0
    psutil.wait_procs([program], timeout=5)
    assert not program.is_running()


def test_progress_is_repeated_and_errors_are_not(capfd: pytest.CaptureFixture[str]) -> None:
    sweep(seeds=range(2), duration=0.01)
    assert capfd.readouterr() == ("", "")
    lines: list[str] = []
    text = "5 of 9 runs, 2.5 runs/s, 2s left\nwarning: a\nerror: b\n"
    module._forward(io.StringIO(text), lines, False)
    assert capfd.readouterr() == ("", "5 of 9 runs, 2.5 runs/s, 2s left\nwarning: a\n")
    assert lines == ["warning: a\n", "error: b\n"]


def test_import_needs_neither_ray_nor_arrow() -> None:
    code = "import sys, becomingone; print(sorted({'ray', 'pyarrow', 'polars', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
