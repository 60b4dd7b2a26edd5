"""Writes flight logs with pyulog and pymavlink into a folder, and the numbers that these read in them as JSON."""
import json
import math
import pathlib
import struct
import sys

from pymavlink import DFReader
from pyulog import ULog

folder = pathlib.Path(sys.argv[1])


def message(kind, body):
    return struct.pack("<HB", len(body), ord(kind)) + body


def definitions(flags=b""):
    log = b"ULog\x01\x12\x35\x01" + struct.pack("<Q", 1000)
    log += message("B", bytes(8) + (b"\x01" if flags else b"\0") + bytes(7) + (flags or bytes(24)))
    for text in (
        "sensor_accel:uint64_t timestamp;uint64_t timestamp_sample;float x;float y;uint8_t[3] clip;bool ok;int16_t t;uint8_t[3] _padding0;",
        "esc_report:uint32_t rpm;float volt;uint8_t flags;uint8_t[7] _padding0;",
        "esc_status:uint64_t timestamp;esc_report[2] esc;int8_t n;uint8_t[7] _padding0;",
        "note:uint64_t timestamp;char[8] text;double level;int64_t big;uint64_t large;int32_t i;uint16_t u;",
    ):
        log += message("F", text.encode())
    key = b"char[3] sys_name"
    log += message("I", bytes([len(key)]) + key + b"PX4")
    for k, (name, instance) in enumerate((("sensor_accel", 0), ("sensor_accel", 1), ("esc_status", 0), ("note", 0))):
        log += message("A", struct.pack("<BH", instance, k) + name.encode())
    return log


def row(k):
    t = 1_000_000 + 4000 * k
    out = b""
    for instance in (0, 1):
        data = struct.pack("<HQQff3B?h", instance, t + instance, t - 100, math.sin(k / 9) + instance, math.cos(k / 9), k % 5, 1, 2, k % 2 == 0, k % 300 - 150)
        out += message("D", data)
    if k % 5 == 0:
        data = struct.pack("<HQ", 2, t + 7)
        for esc in (0, 1):
            data += struct.pack("<IfB7x", 1000 + k + esc, 11.5 + esc, k % 3)
        out += message("D", data + struct.pack("<b", k % 7 - 3))
    if k % 10 == 0:
        out += message("D", struct.pack("<HQ8sdqQiH", 3, t + 9, b"abc", k / 7, -(2**60) - k, 2**63 + 4096 * k, -k, k))
    return out


def ulog(path):
    log = ULog(str(path))
    columns = {}
    for data in log.data_list:
        name = data.name if data.multi_id == 0 else f"{data.name}_{data.multi_id}"
        for field in data.data:
            if not field.startswith(("timestamp", "_padding")) and "._padding" not in field and "text" not in field:
                columns[f"{name}/{field}"] = [float(x) for x in data.data[field]]
    return columns


found = {}
made = folder / "made.ulg"
made.write_bytes(definitions() + b"".join(row(k) for k in range(400)) + message("O", struct.pack("<H", 120)))
ULog(str(made)).write_ulog(str(folder / "peer.ulg"))
found["peer.ulg"] = ulog(folder / "peer.ulg")
found["made.ulg"] = ulog(made)
assert found["made.ulg"]["esc_status/esc[1].rpm"][1] == 1006
# Data that was appended after the logger had stopped within a message.
body = b"".join(row(k) for k in range(200))
place = len(definitions(bytes(24))) + len(body) + 11
flags = struct.pack("<QQQ", place, 0, 0)
(folder / "appended.ulg").write_bytes(definitions(flags) + body + row(200)[:11] + b"".join(row(k) for k in range(300, 320)))
# pyulog forgets the topics before it reads what was appended.
plain = folder / "plain.ulg"
plain.write_bytes(definitions() + body + b"".join(row(k) for k in range(300, 320)))
found["plain.ulg"] = found["appended.ulg"] = ulog(plain)


def fmt(kind, length, name, form, labels):
    return struct.pack("<BBBBB4s16s64s", 0xA3, 0x95, 0x80, kind, length, name.encode(), form.encode(), labels.encode())


def dataflash():
    sizes = {"b": "b", "B": "B", "h": "h", "H": "H", "i": "i", "I": "I", "f": "f", "d": "d", "g": "e", "n": "4s", "N": "16s",
             "Z": "64s", "c": "h", "C": "H", "e": "i", "E": "I", "L": "i", "M": "B", "q": "q", "Q": "Q", "a": "64s"}
    kinds = {
        "FMTU": (0x81, "QBNN", "TimeUS,FmtType,UnitIds,MultIds"),
        "UNIT": (0x82, "QbZ", "TimeUS,Id,Label"),
        "MULT": (0x83, "Qbd", "TimeUS,Id,Mult"),
        "PARM": (0x84, "QNf", "TimeUS,Name,Value"),
        "IMU": (0x85, "QBffIg", "TimeUS,I,GyrX,GyrY,Count,Half"),
        "POS": (0x86, "QBLLeEcC", "TimeUS,Status,Lat,Lng,Alt,Acc,VZ,HDop"),
        "MSG": (0x87, "QZ", "TimeUS,Message"),
        "XTRA": (0x88, "Qbhdq", "TimeUS,a,b,c,d"),
        "ISBD": (0x89, "QHa", "TimeUS,N,x"),
    }
    pack = {name: "<" + "".join(sizes[c] for c in form) for name, (_, form, _) in kinds.items()}
    out = fmt(0x80, 89, "FMT", "BBnNZ", "Type,Length,Name,Format,Columns")
    for name, (kind, form, labels) in kinds.items():
        out += fmt(kind, struct.calcsize(pack[name]) + 3, name, form, labels)

    def write(name, *values):
        return struct.pack("<BBB", 0xA3, 0x95, kinds[name][0]) + struct.pack(pack[name], *values)

    out += write("UNIT", 1, ord("s"), b"s") + write("UNIT", 1, ord("E"), b"rad/s") + write("UNIT", 1, ord("#"), b"instance")
    out += write("MULT", 1, ord("F"), 1e-6) + write("MULT", 1, ord("B"), 1e-2)
    out += write("FMTU", 2, 0x85, b"s#EE--", b"F---BB")
    out += write("PARM", 3, b"RATE", 400.0)
    for k in range(500):
        t = 10_000 + 2500 * k
        for n in (0, 1):
            out += write("IMU", t + n, n, math.sin(k / 9), n + math.cos(k / 9), 100 * k, k / 8)
        if k % 20 == 0:
            out += write("POS", t + 3, 3, -353632620 + k, 1491652370 - k, 58432 + k, 250, -k, 121)
            out += write("XTRA", t + 4, -(k % 100), -k, k / 3, -(2**50) - k)
            out += write("ISBD", t + 5, k * k % 997, bytes(64))
        if k == 250:
            out += write("MSG", t + 6, b"Mode, auto")
    return out


def read(reader):
    columns = {}
    instances = set()
    while True:
        m = reader.recv_msg()
        if m is None:
            return columns
        kind = m.get_type()
        if kind in ("FMT", "FMTU", "UNIT", "MULT", "PARM", "FILE", "MSG"):
            continue
        instance = m.fmt.instance_field
        name = kind if instance is None else f"{kind}[{int(getattr(m, instance))}]"
        for field, value in m.to_dict().items():
            if field in ("mavpackettype", "TimeUS", "TimeMS", instance) or kind == "ISBD" and field == "x":
                continue
            columns.setdefault(f"{name}/{field}", []).append(float(value))


made = folder / "made.BIN"
made.write_bytes(dataflash())
found["made.BIN"] = read(DFReader.DFReader_binary(str(made)))
with open(folder / "peer.BIN", "wb") as out:
    reader = DFReader.DFReader_binary(str(made))
    while (m := reader.recv_msg()) is not None:
        out.write(bytes(m.get_msgbuf()))
found["peer.BIN"] = read(DFReader.DFReader_binary(str(folder / "peer.BIN")))
# The text form, as ArduPilot's tools write it.
with open(folder / "peer.log", "w") as out:
    reader = DFReader.DFReader_binary(str(made))
    while (m := reader.recv_msg()) is not None:
        if m.get_type() not in ("ISBD", "UNIT", "MULT"):
            out.write(", ".join([m.get_type()] + [str(getattr(m, field)) for field in m.fmt.columns]) + "\n")
found["peer.log"] = read(DFReader.DFReader_text(str(folder / "peer.log")))
(folder / "expected.json").write_text(json.dumps(found))
