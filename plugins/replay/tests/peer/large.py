"""Writes large logs with rosbags (PyPI), or reads one with it and prints messages per second.

    large.py write FOLDER MESSAGES     imu.bag, imu.db3, imu.mcap (324 bytes a message)
    large.py read FILE

Beside: `/usr/bin/time -v becomingone analyze FILE` (rows, seconds, largest memory).
"""
import sys
import time
from pathlib import Path

import numpy as np
from rosbags.highlevel import AnyReader
from rosbags.rosbag1 import Writer as Bag1
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as Bag2
from rosbags.typesys import Stores, get_typestore

NAME = "sensor_msgs/msg/Imu"


def imu(types, k):
    t = types.types
    ros1 = "seq" in t["std_msgs/msg/Header"].__dataclass_fields__
    vector = t["geometry_msgs/msg/Vector3"]
    nine = np.zeros(9)
    header = t["std_msgs/msg/Header"](stamp=t["builtin_interfaces/msg/Time"](sec=5, nanosec=k), frame_id="imu", **({"seq": k} if ros1 else {}))
    q = t["geometry_msgs/msg/Quaternion"](x=0.0, y=0.0, z=0.0, w=1.0)
    return t[NAME](header, q, nine, vector(0.0, k % 7, 0.5), nine, vector(k % 5, k % 3, 9.8), nine)


def write(folder, count):
    start = 1_700_000_000_000_000_000
    one = get_typestore(Stores.ROS1_NOETIC)
    two = get_typestore(Stores.ROS2_JAZZY)
    ones = [bytes(one.serialize_ros1(imu(one, k), NAME)) for k in range(105)]
    twos = [bytes(two.serialize_cdr(imu(two, k), NAME)) for k in range(105)]
    with Bag1(folder / "imu.bag") as bag:
        a = bag.add_connection("/imu", NAME, typestore=one)
        for k in range(count):
            bag.write(a, start + k * 10_000_000, ones[k % 105])
    for name, plugin in (("db3", StoragePlugin.SQLITE3), ("mcap", StoragePlugin.MCAP)):
        with Bag2(folder / name, version=9, storage_plugin=plugin) as bag:
            a = bag.add_connection("/imu", NAME, typestore=two)
            for k in range(count):
                bag.write(a, start + k * 10_000_000, twos[k % 105])


def read(file):
    began = time.perf_counter()
    count = 0
    with AnyReader([file], default_typestore=get_typestore(Stores.ROS2_JAZZY)) as bag:
        for connection, _, raw in bag.messages():
            bag.deserialize(raw, connection.msgtype)
            count += 1
    print(f"{count} messages, {count / (time.perf_counter() - began):.0f} a second")


if sys.argv[1] == "write":
    write(Path(sys.argv[2]), int(sys.argv[3]))
else:
    read(Path(sys.argv[2]))
