"""Rows per second beside pandas, pyarrow, rosbags, pyulog and pymavlink: speed.py EXAMPLE FOLDER [MB [FORMAT..]].

EXAMPLE is `target/release/examples/rows` (`cargo build --release --workspace --all-targets`). It prints the memory that it took,
too: with 1000 MB, peers are left out.
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
from rosbags.highlevel import AnyReader
from rosbags.rosbag1 import Writer as Bag1
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as Bag2
from rosbags.typesys import Stores, get_typestore

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
            frame(first).to_json(out, orient="records", lines=True, date_format="epoch")


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


IMU = "sensor_msgs/msg/Imu"


def imu(types, k):
    t = types.types
    ros1 = "seq" in t["std_msgs/msg/Header"].__dataclass_fields__
    vector = t["geometry_msgs/msg/Vector3"]
    nine = numpy.zeros(9)
    header = t["std_msgs/msg/Header"](stamp=t["builtin_interfaces/msg/Time"](sec=5, nanosec=k), frame_id="imu", **({"seq": k} if ros1 else {}))
    q = t["geometry_msgs/msg/Quaternion"](x=0.0, y=0.0, z=0.0, w=1.0)
    return t[IMU](header, q, nine, vector(0.0, k % 7, 0.5), nine, vector(k % 5, k % 3, 9.8), nine)


def bag(path):
    """324 bytes a message; the file of a bag of ROS 2 is moved out of its folder."""
    first = path.endswith(".bag")
    types = get_typestore(Stores.ROS1_NOETIC if first else Stores.ROS2_JAZZY)
    write = types.serialize_ros1 if first else types.serialize_cdr
    messages = [bytes(write(imu(types, k), IMU)) for k in range(105)]
    plugin = StoragePlugin.SQLITE3 if path.endswith(".db3") else StoragePlugin.MCAP
    folder = pathlib.Path(path + "_folder")
    with Bag1(path) if first else Bag2(folder, version=9, storage_plugin=plugin) as out:
        a = out.add_connection("/imu", IMU, typestore=types)
        for k in range(mb * 10**6 // 324):
            out.write(a, 1_700_000_000_000_000_000 + k * 10_000_000, messages[k % 105])
    if not first:
        for file in folder.iterdir():
            file.rename(path) if path.endswith(file.suffix) else file.unlink()
        folder.rmdir()


def bag_reader(path):
    if path.endswith(".bag"):
        with AnyReader([pathlib.Path(path)]) as bag:
            return sum(bag.deserialize(raw, c.msgtype) is not None for c, _, raw in bag.messages())
    if path.endswith(".mcap"):
        from mcap_ros2.reader import read_ros2_messages
        return sum(1 for _ in read_ros2_messages(path))
    import sqlite3
    types = get_typestore(Stores.ROS2_JAZZY)
    rows = sqlite3.connect(path).execute("SELECT data FROM messages ORDER BY timestamp")
    return sum(types.deserialize_cdr(data, IMU) is not None for (data,) in rows)


def csv(path):
    for first in blocks(140):
        rows = frame(first)
        rows["t"] = rows["t"].astype("int64") / 1e9
        rows.to_csv(path, index=False, header=first == 0, mode="a" if first else "w")


for name, make, read in (
    ("log.csv", csv, lambda p: len(pandas.read_csv(p))),
    ("log.bag", bag, bag_reader),
    ("log.db3", bag, bag_reader),
    ("log.mcap", bag, bag_reader),
    ("log.ulg", ulog, ulog_reader),
    ("log.BIN", dataflash, dataflash_reader),
    ("log.log", text, dataflash_reader),
    ("log.arrow", lambda p: batches(lambda s: pyarrow.ipc.new_file(p, s)), lambda p: len(pyarrow.feather.read_table(p).to_pandas())),
    ("log.parquet", lambda p: batches(lambda s: pyarrow.parquet.ParquetWriter(p, s)), lambda p: len(pandas.read_parquet(p))),
    ("log.npy", npy, lambda p: len(numpy.load(p)) if numpy.load(p).sum() else 0),
    ("log.jsonl", lines, lambda p: len(pandas.read_json(p, lines=True))),
):
    if sys.argv[4:] and name not in sys.argv[4:]:
        continue
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
