"""Writes tables of so many rows (1000) with pandas, pyarrow and numpy into a folder, and their numbers as JSON."""
import decimal
import json
import math
import pathlib
import sys

import numpy
import pandas
import pyarrow
import pyarrow.feather
import pyarrow.parquet

folder = pathlib.Path(sys.argv[1])
found = {}
ROWS = int(sys.argv[2]) if len(sys.argv) > 2 else 1000


def expect(name, columns, t=None, **more):
    def number(x):
        x = None if x is None else float(x)
        return None if x is None or math.isnan(x) else x

    listed = {key: [number(x) for x in values] for key, values in columns.items()}
    found[name] = {"columns": listed, "t_ns": None if t is None else [int(x) for x in t], **more}


rng = numpy.random.default_rng(7)
n = numpy.arange(ROWS)
stamps = pandas.date_range("2024-03-09T10:14:33.000000123", periods=ROWS, freq="10ms", tz="Europe/Berlin")
frame = pandas.DataFrame({
    "x": rng.normal(size=ROWS), "y": rng.normal(size=ROWS).astype("f4"), "n": rng.integers(-2**31, 2**31, ROWS),
    "on": rng.random(ROWS) < 0.5, "gap": numpy.where(n % 7 == 0, numpy.nan, rng.normal(size=ROWS)),
    "mode": pandas.Categorical(numpy.where(n % 3 == 0, "auto", "manual")), "maybe": pandas.array(n * n % 1000, dtype="Int64"),
}, index=stamps)
frame.loc[frame.index[5], "maybe"] = pandas.NA
numbers = {c: [None if pandas.isna(x) else x for x in frame[c]] for c in ("x", "y", "n", "on", "gap", "maybe")}
t = stamps.astype("int64") - stamps.astype("int64")[0]
for compression in ("snappy", "gzip", "zstd", "brotli", "lz4", "none"):
    name = f"frame_{compression}.parquet"
    frame.to_parquet(folder / name, compression=None if compression == "none" else compression, row_group_size=300)
    expect(name, numbers, t, time="__index_level_0__")
flat = frame.reset_index().rename(columns={"index": "when"})
for compression in ("lz4", "zstd", "uncompressed"):
    name = f"frame_{compression}.feather"
    flat.to_feather(folder / name, compression=compression, chunksize=128)
    expect(name, numbers, t, time="when")
pyarrow.feather.write_feather(flat[["x", "n"]], folder / "v1.feather", version=1)

table = pyarrow.table({
    "elapsed": pyarrow.array(n * 20_000, pyarrow.duration("us")),
    "half": pyarrow.array((n / 16).astype("f2"), pyarrow.float16()),
    "price": pyarrow.array([decimal.Decimal(int(k * k % 9973)) / 100 for k in n], pyarrow.decimal128(12, 2)),
    "u8": pyarrow.array(n * 7 % 256, pyarrow.uint8()), "i8": pyarrow.array(n * 7 % 256 - 128, pyarrow.int8()),
    "u64": pyarrow.array([2**63 + int(k) * 4096 for k in n * n % 1000], pyarrow.uint64()),
    "pose": pyarrow.array([None if k % 11 == 0 else {"x": float(k * k % 17), "q": {"w": k * k % 13}} for k in n.tolist()],
                          pyarrow.struct([("x", pyarrow.float64()), ("q", pyarrow.struct([("w", pyarrow.int32())]))])),
    "list": pyarrow.array([[1.0, 2.0]] * ROWS), "raw": pyarrow.array([b"ab"] * ROWS),
    "level": pyarrow.array((n * n % 5).astype("i4")).dictionary_encode(),
    "flag": pyarrow.array([None if k % 4 == 0 else k % 3 == 0 for k in n.tolist()]),
})
columns = {
    "half": (n / 16).astype("f2").astype(float), "price": n * n % 9973 / 100, "u8": n * 7 % 256, "i8": n * 7 % 256 - 128,
    "u64": [float(2**63 + int(k) * 4096) for k in n * n % 1000],
    "pose.x": [None if k % 11 == 0 else k * k % 17 for k in n.tolist()],
    "pose.q.w": [None if k % 11 == 0 else k * k % 13 for k in n.tolist()],
    "level": n * n % 5, "flag": [None if k % 4 == 0 else k % 3 == 0 for k in n.tolist()],
}
with pyarrow.ipc.new_stream(folder / "types.arrows", table.schema) as out:
    out.write_table(table, max_chunksize=100)
with pyarrow.ipc.new_file(folder / "types.arrow", table.schema) as out:
    out.write_table(table, max_chunksize=100)
pyarrow.parquet.write_table(table, folder / "types.parquet")
pyarrow.parquet.write_table(table, folder / "types_v1.parquet", version="1.0", data_page_version="1.0", use_dictionary=False)
for name in ("types.arrows", "types.arrow", "types.parquet", "types_v1.parquet"):
    expect(name, columns, n * 20_000_000, time="elapsed", unread=["list", "raw"])
for unit, ns in (("s", 10**9), ("ms", 10**6), ("us", 10**3), ("ns", 1)):
    name = f"stamp_{unit}.arrow"
    other = pyarrow.table({"at": pyarrow.array(1_700_000_000 * (10**9 // ns) + n, pyarrow.timestamp(unit)), "x": frame["x"].to_numpy()})
    pyarrow.feather.write_feather(other, folder / name)
    expect(name, {"x": frame["x"]}, n * ns, time="at")
days = pyarrow.table({"day": pyarrow.array(19_000 + n, pyarrow.int32()).cast(pyarrow.date32()), "x": frame["x"].to_numpy()})
pyarrow.feather.write_feather(days, folder / "days.arrow")
expect("days.arrow", {"x": frame["x"]}, n * 86_400 * 10**9, time="day")

a = rng.normal(size=(ROWS, 3))
for name, array in (("c.npy", a), ("fortran.npy", numpy.asfortranarray(a)), ("big.npy", a.astype(">f8")), ("f4.npy", a.astype("f4")),
                    ("f2.npy", a.astype("f2")), ("i2.npy", (1000 * a).astype(">i2")), ("i8.npy", (1000 * a).astype("i8")),
                    ("u1.npy", (100 + 10 * a).astype("u1")), ("bool.npy", a > 0)):
    numpy.save(folder / name, array)
    expect(name, {f"column_{k + 1}": array[:, k] for k in range(3)})
numpy.save(folder / "one.npy", a[:, 0])
expect("one.npy", {"column_1": a[:, 0]})
with open(folder / "version3.npy", "wb") as out:
    numpy.lib.format.write_array(out, a, version=(3, 0))
expect("version3.npy", {f"column_{k + 1}": a[:, k] for k in range(3)})
records = numpy.zeros(ROWS, dtype=numpy.dtype([("t", "M8[us]"), ("v", ">f4"), ("pos", "<f8", (3,)), ("tag", "U5"), ("in", [("k", "i2")])], align=True))
records["t"] = numpy.datetime64("2024-01-01T00:00:00", "us") + n * 1500
records["v"], records["pos"], records["tag"], records["in"]["k"] = a[:, 0], a, "abc", 1000 * a[:, 1]
numpy.save(folder / "records.npy", records)
expect("records.npy", {"v": records["v"], "in.k": records["in"]["k"], **{f"pos[{k}]": a[:, k] for k in range(3)}}, n * 1_500_000, time="t")
numpy.savez(folder / "plain.npz", x=a[:, 0], pos=a, t=n.astype("m8[ms]"))
numpy.savez_compressed(folder / "deflated.npz", x=a[:, 0], pos=a, t=n.astype("m8[ms]"))
for name in ("plain.npz", "deflated.npz"):
    expect(name, {"x": a[:, 0], **{f"pos[{k}]": a[:, k] for k in range(3)}}, n * 1_000_000, time="t")
numpy.save(folder / "objects.npy", numpy.array([1, "a", None], dtype=object), allow_pickle=True)
numpy.save(folder / "cube.npy", numpy.zeros((4, 3, 2)))
numpy.savez(folder / "unequal.npz", a=n, b=n[:10])

lines = flat.drop(columns=["mode"]).copy()
lines.to_json(folder / "frame.jsonl", orient="records", lines=True, double_precision=15, date_unit="ns", date_format="iso")
loose = {c: numbers[c] for c in ("n", "on", "maybe")}
expect("frame.jsonl", loose, t, time="when")
with open(folder / "nested.ndjson", "w") as out:
    for k in range(ROWS):
        out.write(json.dumps({"t": k / 50, "pose": {"x": a[k, 0], "q": [a[k, 1], a[k, 2]]}, "nan": math.nan if k % 3 == 0 else a[k, 0]}) + "\n")
expect("nested.ndjson", {"pose/x": a[:, 0], "pose/q/0": a[:, 1], "pose/q/1": a[:, 2], "nan": numpy.where(n % 3 == 0, math.nan, a[:, 0])}, n * 20_000_000, time="t")
for name, indent in (("array.json", None), ("pretty.json", 2)):
    (folder / name).write_text(json.dumps([{"t": k / 50, "x": a[k, 0]} for k in range(ROWS)], indent=indent))
    expect(name, {"x": a[:, 0]}, n * 20_000_000, time="t")
(folder / "expected.json").write_text(json.dumps(found))
