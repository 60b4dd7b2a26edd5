"""Tables, recordings and analyses: what goes in by any library, and what comes out."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import program

import becomingone as b1
from becomingone import _native, errors

pl = pytest.importorskip("polars")
pd = pytest.importorskip("pandas")
pa = pytest.importorskip("pyarrow")

ROWS = 1500


def columns(rows: int = ROWS, fault: bool = True) -> dict[str, Any]:
    """Three channels that follow one another; from row 1000 on, `b` deviates for 100 rows."""
    rng = np.random.default_rng(1)
    t = np.arange(rows) * 0.01
    common = np.sin(t * 11.0) + 0.4 * np.sin(t * 1.7)
    a, b, c = (scale * common + rng.normal(scale=0.05, size=rows) for scale in (1.0, 2.0, -1.0))
    if fault:
        b[1000:1100] += 3.0
    return {"t": t, "a": a, "b": b, "c": c}


def scores(table: b1.Table) -> dict[str, Any]:
    """All columns, numbers as bytes."""
    return {name: table[name].tobytes() if isinstance(table[name], np.ndarray) else table[name] for name in table.columns}


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("table") / "table.parquet"
    pl.DataFrame(columns()).write_parquet(file)
    return file


@pytest.fixture(scope="module")
def of_the_program(parquet: Path) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """Scores and result of the program on the file."""
    out, found = parquet.with_name("scores.csv"), parquet.with_name("found.json")
    done = program(
        "analyze", str(parquet), "--baseline", "400", "--out", str(out), "--json", str(found), "--rerun", "off", "--quiet"
    )
    assert done.returncode == 0, done.stderr
    with out.open(newline="") as file:
        return list(csv.DictReader(file)), json.loads(found.read_text())


def check(analysis: b1.Analysis, expected: tuple[list[dict[str, str]], dict[str, Any]]) -> None:
    rows, found = expected
    assert len(analysis) == len(rows) == ROWS
    assert analysis.columns == list(rows[0])
    for name in analysis.columns:
        column = analysis[name]
        cells = [row[name] for row in rows]
        if isinstance(column, np.ndarray):
            numbers = np.array([float(cell) if cell else np.nan for cell in cells])
            assert np.array_equal(column, numbers, equal_nan=True), name
        else:
            assert [cell or "" for cell in column] == cells, name
    assert {**analysis.data, "file": ""} == {**found, "file": ""}
    [interval] = analysis.intervals
    [of_program] = found["intervals"]
    assert interval.channel == of_program["channel"] == "b"
    assert (interval.first_row, interval.last_row) == (of_program["first"]["row"], of_program["last"]["row"])
    assert interval.first_time == of_program["first"]["time"]
    assert interval.shares == of_program["shares"]
    assert 990 < interval.first_row < 1010


@pytest.mark.parametrize("how", ["file", "text", "polars", "pandas", "pyarrow", "reader", "numpy", "lists", "duckdb"])
def test_every_library_gives_what_the_program_gives(how: str, parquet: Path, of_the_program: Any) -> None:
    data: Any
    if how == "file":
        data = parquet
    elif how == "text":
        data = str(parquet)
    elif how == "polars":
        data = pl.DataFrame(columns())
    elif how == "pandas":
        data = pd.DataFrame(columns())
    elif how == "pyarrow":
        data = pa.table(columns())
    elif how == "reader":
        data = pa.table(columns()).to_reader(max_chunksize=100)
    elif how == "numpy":
        data = columns()
    elif how == "lists":
        data = {name: column.tolist() for name, column in columns().items()}
    else:
        duckdb = pytest.importorskip("duckdb")
        data = duckdb.sql(f"select * from '{parquet}'")
    check(b1.analyze(data, baseline=400), of_the_program)


def test_a_table_of_many_chunks_is_one_table(of_the_program: Any) -> None:
    whole = pl.DataFrame(columns())
    parts = pl.concat([whole[:1], whole[1:1], whole[1:700], whole[700:]], rechunk=False)
    check(b1.analyze(parts, baseline=400), of_the_program)
    check(b1.analyze(pa.concat_tables([pa.table(columns())[:3], pa.table(columns())[3:]]), baseline=400), of_the_program)


def test_healthy_tables_of_any_library_are_learned_from() -> None:
    healthy = columns(fault=False)
    found = [
        b1.analyze(columns(), healthy=[table])
        for table in (healthy, pl.DataFrame(healthy), pd.DataFrame(healthy), pa.table(healthy))
    ]
    assert all(scores(one) == scores(found[0]) for one in found)
    assert found[0].intervals[0].channel == "b"
    assert not np.isnan(found[0]["surprise"]).all()
    two = b1.analyze(columns(), healthy=[pl.DataFrame(healthy)[:700], pd.DataFrame(healthy)[700:]])
    assert two.intervals[0].channel == "b"


def test_inputs_are_never_isolated_and_ignored_columns_are_left_out() -> None:
    data = {**columns(), "label": (np.arange(ROWS) // 100).astype(float)}
    with_input = b1.analyze(data, inputs=["a"], ignore=["label"], baseline=400)
    assert with_input.data["inputs"] == ["a"] and "share_label" not in with_input.columns
    assert all(interval.channel != "a" for interval in with_input.intervals)
    assert with_input.intervals


def test_options_reach_the_program() -> None:
    data = columns()
    assert b1.analyze(data, time="t", baseline=400).intervals[0].first_time
    no_time = {name: data[name] for name in "abc"}
    assert b1.analyze(no_time, rate_hz=100.0, baseline=400).intervals[0].first_time == ""
    rough = b1.analyze(data, sensitivity=0.1, baseline=400)["k1"]
    assert len(rough) == ROWS
    strict = b1.analyze(data, false_alarms_per_hour=0.1, baseline=400)
    assert strict.intervals[0].channel == "b"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"baseline": -1}, ValueError),
        ({"baseline": 0}, ValueError),
        ({"baseline": 1.5}, TypeError),
        ({"baseline": 10**9}, errors.AnalysisError),
        ({"time": "nope"}, errors.AnalysisError),
        ({"time": "--nope"}, errors.AnalysisError),
        ({"inputs": ["nope"]}, errors.AnalysisError),
        ({"inputs": "a"}, TypeError),
        ({"inputs": ["a,b"]}, ValueError),
        ({"ignore": "a"}, TypeError),
        ({"ignore": ["a", "b", "c"]}, errors.AnalysisError),
        ({"healthy": "table.csv"}, TypeError),
        ({"healthy": ["/nope.csv"]}, errors.AnalysisError),
        ({"healthy": [{"x": np.zeros(900)}]}, errors.AnalysisError),
        ({"sensitivity": float("nan")}, errors.AnalysisError),
        ({"sensitivity": -1}, errors.AnalysisError),
        ({"rate_hz": 0}, errors.AnalysisError),
        ({"false_alarms_per_hour": -1.0}, errors.AnalysisError),
    ],
)
def test_wrong_options_are_errors_that_say_what_is_expected(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error) as found:
        b1.analyze(columns(), **options)
    assert "becomingone-" not in str(found.value), "a folder of its own is no news to anybody"


class Capsule:
    """Gives whatever it was given as its stream."""

    def __init__(self, given: object) -> None:
        self.given = given

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        if isinstance(self.given, BaseException):
            raise self.given
        return self.given


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ("/nope.csv", errors.AnalysisError),
        ("--help", errors.AnalysisError),
        ("", errors.AnalysisError),
        (5, TypeError),
        (None, TypeError),
        ([1.0, 2.0], TypeError),
        (np.zeros((5, 2)), TypeError),
        ({}, errors.AnalysisError),
        ({"a": [], "b": []}, errors.AnalysisError),
        ({"a": [1.0, 2.0], "b": [1.0]}, ValueError),
        ({"a": np.zeros((3, 3))}, ValueError),
        ({"a": 1.0}, ValueError),
        ({"a": ["x"] * 900}, TypeError),
        ({"a": [object()] * 9}, TypeError),
        ({"a": np.zeros(9, dtype=complex)}, TypeError),
        ({"t": np.arange("2026-01-01", "2027-01-01", dtype="datetime64[D]")}, TypeError),
        (Capsule(None), TypeError),
        (Capsule("stream"), TypeError),
        (Capsule(pa.schema([]).__arrow_c_schema__()), ValueError),
        (Capsule(KeyError("mine")), KeyError),
        (pl.DataFrame(), errors.AnalysisError),
        (pl.DataFrame({"a": ["x"] * 900}), errors.AnalysisError),
    ],
)
def test_wrong_data_is_an_error(data: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        b1.analyze(data)


def test_a_stream_can_be_consumed_once() -> None:
    reader = pa.table(columns()).to_reader()
    assert len(b1.analyze(reader)) == ROWS
    with pytest.raises(errors.AnalysisError, match="found no row"):
        b1.analyze(reader)
    capsule = Capsule(pa.table(columns()).__arrow_c_stream__())
    assert len(b1.analyze(capsule)) == ROWS
    with pytest.raises(ValueError, match="released"):
        b1.analyze(capsule)
    with pytest.raises(ValueError, match="released"):
        _native.write_stream(capsule.given, "/dev/null")


def test_a_stream_that_fails_in_the_middle_is_an_error() -> None:
    def batches() -> Any:
        yield from pa.table(columns()).to_batches(max_chunksize=100)[:3]
        raise ValueError("mine")

    reader = pa.RecordBatchReader.from_batches(pa.table(columns()).schema, batches())
    with pytest.raises(errors.RecordingError, match="mine"):
        b1.analyze(reader)


def test_texts_nulls_times_and_categories_are_read() -> None:
    times = [datetime(2026, 1, 1) + timedelta(milliseconds=10 * k) for k in range(ROWS)]
    base = pl.DataFrame({**columns(), "t": times})
    labels = pl.Series(["ok", "odd"] * (ROWS // 2))
    for table in (
        base,
        base.with_columns(label=labels),
        base.with_columns(label=labels.cast(pl.Categorical)),
        base.with_columns(label=pl.Series([None] * ROWS, dtype=pl.String)),
        base.with_columns(label=pl.Series([[1, 2]] * ROWS)),
        base.with_columns(a=pl.when(pl.int_range(ROWS) % 97 != 3).then(pl.col("a"))),
        base.with_columns(a=pl.when(pl.int_range(ROWS) % 97 != 3).then(pl.col("a")).otherwise(float("nan"))),
        base.with_columns(pl.col("t").dt.replace_time_zone("Europe/Berlin")),
        base.with_columns(a=pl.col("a").cast(pl.Float32), c=(pl.col("c") * 1000).cast(pl.Int16)),
        base.to_pandas(),
        base.with_columns(label=labels).to_pandas().astype({"label": "category"}),
        base.to_pandas().set_index("t"),
        base.to_arrow(),
    ):
        result = b1.analyze(table, baseline=400)
        assert len(result) == ROWS
        assert result.intervals[0].channel == "b"
        assert result.intervals[0].first_time.startswith(("2026-01-01T00:00:1", "2025-12-31T23:00:1"))


def test_names_may_have_any_characters() -> None:
    data = columns()
    odd = {"t": data["t"], 'a"\n,ü': data["a"], "": data["b"], "b b": data["c"]}
    result = b1.analyze(odd, baseline=400)
    assert {'share_a"\n,ü', "share_", "share_b b"} <= set(result.columns) or result.data["channels"]
    assert len(result) == ROWS


def test_the_cause_is_a_text_also_where_channels_have_numbers_for_names() -> None:
    data = columns()
    result = b1.analyze({"t": data["t"], "0": data["a"], "1": data["b"], "2": data["c"]}, baseline=400)
    assert "1" in list(result["cause"])


def test_a_hundred_thousand_rows() -> None:
    data = columns(100_000)
    assert len(b1.analyze(pl.DataFrame(data), baseline=400)) == 100_000


# Results as tables


@pytest.fixture(scope="module")
def analysis() -> b1.Analysis:
    return b1.analyze(columns(), baseline=400)


def test_scores_are_a_table_of_every_library(analysis: b1.Analysis) -> None:
    frames = (analysis.to_polars(), pl.DataFrame(analysis), analysis.to_pandas(), analysis.to_arrow(), pa.table(analysis))
    for frame in frames:
        names = getattr(frame, "column_names", None) or list(frame.columns)
        assert names == analysis.columns and len(frame) == ROWS
        surprise = np.asarray(frame["surprise"], dtype=float)
        assert np.array_equal(surprise, analysis["surprise"], equal_nan=True)
    duckdb = pytest.importorskip("duckdb")
    scored = pa.table(analysis)  # noqa: F841: duckdb reads it by its name
    [[rows, most]] = duckdb.sql("select count(*), max(surprise) from scored").fetchall()
    assert (rows, most) == (ROWS, np.nanmax(analysis["surprise"]))


def test_duckdb_takes_a_table_as_it_is(analysis: b1.Analysis) -> None:
    duckdb = pytest.importorskip("duckdb")
    assert duckdb.sql("select count(*) from analysis").fetchall() == [(ROWS,)]


def test_a_table_gives_its_stream_again_and_again(analysis: b1.Analysis) -> None:
    assert pl.DataFrame(analysis).equals(pl.DataFrame(analysis), null_equal=True)
    capsule = analysis.__arrow_c_stream__()
    assert pa.table(Capsule(capsule)).num_rows == ROWS
    del capsule
    analysis.__arrow_c_stream__()  # dropped unused
    kept = analysis.to_arrow()
    assert kept.num_rows == ROWS


def test_an_arrow_table_outlives_what_it_came_from() -> None:
    table = b1.analyze(columns(), baseline=400).to_arrow()
    import gc

    gc.collect()
    assert table.column("row").to_pylist()[:3] == [0, 1, 2]


def test_parquet_goes_out_and_in(analysis: b1.Analysis, tmp_path: Path) -> None:
    file = tmp_path / "scores.parquet"
    analysis.to_parquet(file)
    assert pl.read_parquet(file).equals(analysis.to_polars(), null_equal=True)
    with pytest.raises(errors.RecordingError, match="nope"):
        analysis.to_parquet(tmp_path / "nope" / "x.parquet")


def test_an_unknown_column_lists_what_is_there(analysis: b1.Analysis) -> None:
    with pytest.raises(KeyError, match="surprise"):
        analysis["nope"]


def test_an_empty_table_is_a_table(tmp_path: Path) -> None:
    empty = b1.Table(_native.columns(["a", "b"], [np.zeros(0), np.zeros(0)]))
    assert len(empty) == 0 and empty.to_polars().shape == (0, 2) and empty.to_pandas().shape == (0, 2)
    empty.to_parquet(tmp_path / "empty.parquet")
    assert pl.read_parquet(tmp_path / "empty.parquet").shape == (0, 2)
    none = b1.Table(_native.columns([], []))
    assert len(none) == 0 and none.to_arrow().num_columns == 0


# Recordings


def info(recording: Path) -> dict[str, Any]:
    done = program("info", "--json", str(recording))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_recording_has_what_info_has(recording: Path) -> None:
    found = b1.Recording(recording)
    assert found.info() == info(recording)
    assert found.topics == [topic["topic"] for topic in info(recording)["topics"]]
    assert "/rover/imu" in found.topics
    found.verify()


SENSORS = ["/rover/imu", "/rover/encoders", "/rover/bumper"]


@pytest.mark.parametrize("topic", SENSORS)
def test_a_topic_is_a_table_of_every_library(topic: str, recording: Path) -> None:
    table = b1.Recording(recording)[topic]
    stamps = table["t_ns"]
    assert stamps.dtype == np.int64 and (np.diff(stamps) > 0).all() and len(table) > 0
    assert table.columns[:2] == ["t_ns", "run"]
    found = b1.Recording(recording)
    assert len(found.to_polars(topic)) == len(found.to_pandas(topic)) == found.to_arrow(topic).num_rows == len(table)


@pytest.mark.parametrize("topic", ["/rover/imu", "/rover/encoders"])
def test_a_topic_has_a_row_for_each_message(topic: str, recording: Path) -> None:
    counts = {one["topic"]: one["count"] for one in info(recording)["topics"]}
    assert len(b1.Recording(recording)[topic]) == counts[topic]


def test_readings_are_those_of_the_run(recording: Path) -> None:
    table = b1.Recording(recording)["/rover/imu"]
    with b1.Simulation("robot", seed=7) as sim:
        for row in range(20):
            sim.step()
            assert table["specific_force_z"][row] == sim.reading("rover/imu")[5]


@pytest.mark.parametrize("topic", ["/rover/lidar", "/rover/imu/truth", "/rover/truth", "/rover/kernel"])
def test_topics_of_other_kinds_can_be_read(topic: str, recording: Path) -> None:
    assert len(b1.Recording(recording)[topic])


def test_a_topic_for_viewers_is_no_table(recording: Path) -> None:
    with pytest.raises(b1.errors.RecordingError, match="/rover/pose"):
        b1.Recording(recording)["/rover/pose"]


def test_wrong_recordings_are_errors(recording: Path, tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.mcap"
    garbage.write_bytes(b"garbage" * 100)
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(recording.read_bytes()[:50_000])
    calls: list[Callable[[], object]] = [
        lambda: b1.Recording(garbage).info(),
        lambda: b1.Recording(garbage)["/rover/imu"],
        lambda: b1.Recording(garbage).verify(),
        lambda: b1.Recording(tmp_path).info(),
        lambda: b1.Recording(recording)["/nope"],
        lambda: b1.Recording(recording)[""],
    ]
    for call in calls:
        with pytest.raises(errors.RecordingError, match="expected"):
            call()
    with pytest.raises(FileNotFoundError):
        b1.Recording(tmp_path / "nope.mcap")
    # What is whole of a file that was cut off is there.
    assert b1.Recording(cut).info()["closed"] is False


def test_a_recording_that_was_changed_does_not_verify(recording: Path, tmp_path: Path) -> None:
    with pytest.raises(errors.RecordingError):
        changed = tmp_path / "changed.mcap"
        data = bytearray(recording.read_bytes())
        data[len(data) // 2] ^= 0xFF
        changed.write_bytes(data)
        b1.Recording(changed).verify()
