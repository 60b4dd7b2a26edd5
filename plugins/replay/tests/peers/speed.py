"""Rows per second beside pandas, pyarrow, pyulog and pymavlink: speed.py EXAMPLE FOLDER [MB].

EXAMPLE is `target/release/examples/rows` (`cargo build --release -p becomingone-replay --features parquet --example rows`).
"""
import pathlib
import subprocess
import sys
import time

import numpy
import pandas
import pyarrow
import pyarrow.feather
import pyarrow.parquet

example, folder, mb = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 100
rng = numpy.random.default_rng(7)
BLOCK = 100_000


def blocks(row_bytes):
    """First row of each block."""
    return range(0, max(mb * 10**6 // row_bytes, BLOCK), BLOCK)


def ulog(path):
    def message(kind, body):
        return len(body).to_bytes(2, "little") + kind + body

    row = numpy.dtype([("size", "<u2"), ("kind", "S1"), ("id", "<u2"), ("t", "<u8"), ("x", "<f4", (6,))])
    with open(path, "wb") as out:
        out.write(b"ULog\x01\x12\x35\x01" + bytes(8) + message(b"B", bytes(40)))
        out.write(message(b"F", b"imu:uint64_t timestamp;float[6] x;") + message(b"A", b"\0\0\0imu"))
        for first in blocks(row.itemsize):
            rows = numpy.zeros(BLOCK, row)
            rows["size"], rows["kind"], rows["t"] = row.itemsize - 3, b"D", (first + numpy.arange(BLOCK)) * 1000
            rows["x"] = rng.normal(size=(BLOCK, 6))
            rows.tofile(out)


def dataflash(path):
    def fmt(kind, length, name, form, labels):
        return bytes([0xA3, 0x95, 0x80, kind, length]) + name.ljust(4, b"\0") + form.ljust(16, b"\0") + labels.ljust(64, b"\0")

    row = numpy.dtype([("head", "S2"), ("kind", "u1"), ("t", "<u8"), ("x", "<f4", (6,))])
    with open(path, "wb") as out:
        out.write(fmt(0x80, 89, b"FMT", b"BBnNZ", b"Type,Length,Name,Format,Columns"))
        out.write(fmt(0x81, row.itemsize, b"IMU", b"Qffffff", b"TimeUS,GyrX,GyrY,GyrZ,AccX,AccY,AccZ"))
        for first in blocks(row.itemsize):
            rows = numpy.zeros(BLOCK, row)
            rows["head"], rows["kind"], rows["t"] = b"\xa3\x95", 0x81, (first + numpy.arange(BLOCK)) * 1000
            rows["x"] = rng.normal(size=(BLOCK, 6))
            rows.tofile(out)


def frame(first, rows=BLOCK):
    out = pandas.DataFrame(rng.normal(size=(rows, 6)), columns=list("abcdef"))
    out.insert(0, "t", pandas.to_datetime((first + numpy.arange(rows)) * 10**6))
    return out


def batches(write):
    writer = None
    for first in blocks(56):
        table = pyarrow.Table.from_pandas(frame(first), preserve_index=False)
        writer = writer or write(table.schema)
        writer.write_table(table)
    writer.close()


def npy(path):
    rows = len(blocks(48)) * BLOCK
    out = numpy.lib.format.open_memmap(path, mode="w+", dtype="f8", shape=(rows, 6))
    for first in range(0, rows, BLOCK):
        out[first:first + BLOCK] = rng.normal(size=(BLOCK, 6))
    out.flush()


def lines(path):
    with open(path, "w") as out:
        for first in blocks(150):
            frame(first).to_json(out, orient="records", lines=True)


def text(path):
    with open(path, "w") as out:
        out.write("FMT, 128, 89, FMT, BBnNZ, Type,Length,Name,Format,Columns\nFMT, 129, 35, IMU, Qffffff, TimeUS,GyrX,GyrY,GyrZ,AccX,AccY,AccZ\n")
        for first in blocks(70):
            x = rng.normal(size=(BLOCK, 6))
            out.writelines(f"IMU, {(first + k) * 1000}, " + ", ".join(f"{v:.5f}" for v in r) + "\n" for k, r in enumerate(x.tolist()))


def dataflash_reader(path):
    from pymavlink import DFReader
    reader = (DFReader.DFReader_text if path.endswith(".log") else DFReader.DFReader_binary)(path)
    count = 0
    while (m := reader.recv_match(type="IMU")) is not None:
        count += m.GyrX != 0 and m.AccZ != 0
    return count


def ulog_reader(path):
    from pyulog import ULog
    return len(ULog(path).data_list[0].data["timestamp"])


for name, make, read in (
    ("log.ulg", ulog, ulog_reader),
    ("log.BIN", dataflash, dataflash_reader),
    ("log.log", text, dataflash_reader),
    ("log.arrow", lambda p: batches(lambda s: pyarrow.ipc.new_file(p, s)), lambda p: len(pyarrow.feather.read_table(p).to_pandas())),
    ("log.parquet", lambda p: batches(lambda s: pyarrow.parquet.ParquetWriter(p, s)), lambda p: len(pandas.read_parquet(p))),
    ("log.npy", npy, lambda p: len(numpy.load(p)) if numpy.load(p).sum() else 0),
    ("log.jsonl", lines, lambda p: len(pandas.read_json(p, lines=True))),
):
    path = str(folder / name)
    make(path)
    ours = subprocess.run([example, path], capture_output=True, text=True)
    print(ours.stdout.strip() or ours.stderr.strip(), flush=True)
    # Where the peer takes minutes for a hundred MB, a hundred are enough.
    if mb <= 200:
        began = time.time()
        rows = read(path)
        print(f"  the peer: {rows} rows, {rows / (time.time() - began):.0f} rows/s", flush=True)
    pathlib.Path(path).unlink()
