"""Writes the peers' files that logs.rs reads: rosbags (PyPI), mcap, mcap-ros1-support, mcap-ros2-support.

Message k has the time 1 700 000 000 s + k * 10 ms, and x = k / 4, y = -k, z = k * k.
"""
import sys
from pathlib import Path

import numpy as np
from mcap.writer import CompressionType
from mcap_ros1.writer import Writer as Ros1Mcap
from mcap_ros2.writer import Writer as Ros2Mcap
from rosbags.rosbag1 import Writer as Bag1
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin
from rosbags.rosbag2 import Writer as Bag2
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

COUNT = 60
to = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)


def ns(k):
    return 1_700_000_000_000_000_000 + k * 10_000_000


OWN = """int32 LIMIT=7
string NAME=a # not a comment
Part[<=3] parts
bool on
string<=10 label
float32[2] pair
int16[] counts
float64[40] scan
geometry_msgs/Vector3 v
uint8 level 3
builtin_interfaces/Duration since
std_msgs/Empty nothing
int64 big
"""
PART = "int8 a\nfloat64 b\n"


def store(which):
    known = get_typestore(which)
    own = OWN.replace("uint8 level 3", "uint8 level")
    if which == Stores.ROS1_NOETIC:
        own = own.replace("Part[<=3]", "Part[]").replace("string<=10", "string").replace("builtin_interfaces/Duration", "duration")
    known.register(get_types_from_msg(PART, "own_msgs/msg/Part"))
    known.register(get_types_from_msg(own.replace("string NAME=a # not a comment\n", ""), "own_msgs/msg/Own"))
    return known


def imu(types, k, ros1=False):
    t = types.types
    seq = {"seq": k} if ros1 else {}
    stamp = t["builtin_interfaces/msg/Time"](sec=5, nanosec=k)
    nine = np.zeros(9)
    return t["sensor_msgs/msg/Imu"](
        header=t["std_msgs/msg/Header"](stamp=stamp, frame_id="imu" + "x" * (k % 3), **seq),
        orientation=t["geometry_msgs/msg/Quaternion"](x=0.0, y=0.0, z=0.0, w=1.0),
        orientation_covariance=nine,
        angular_velocity=t["geometry_msgs/msg/Vector3"](x=0.0, y=0.0, z=0.5),
        angular_velocity_covariance=nine,
        linear_acceleration=t["geometry_msgs/msg/Vector3"](x=k / 4, y=float(-k), z=float(k * k)),
        linear_acceleration_covariance=nine,
    )


def own(types, k):
    t = types.types
    part = t["own_msgs/msg/Part"]
    return t["own_msgs/msg/Own"](
        parts=[part(a=-1, b=k / 4), part(a=2, b=float(-k))],
        on=k % 2 == 0,
        label="ab" * (k % 4),
        pair=np.array([k / 8, 1.5], dtype=np.float32),
        counts=np.array([k, -k, 7], dtype=np.int16),
        scan=np.arange(40.0),
        v=t["geometry_msgs/msg/Vector3"](x=k / 4, y=float(-k), z=float(k * k)),
        level=k % 5,
        since=t["builtin_interfaces/msg/Duration"](sec=k, nanosec=500_000_000),
        nothing=t["std_msgs/msg/Empty"](),
        big=k * 1_000_000_007,
    )


def bag1(name, compression):
    types = store(Stores.ROS1_NOETIC)
    path = to / name
    path.unlink(missing_ok=True)
    bag = Bag1(path)
    bag.chunk_threshold = 16 * 1024
    if compression:
        bag.set_compression(compression)
    with bag:
        a = bag.add_connection("/imu", "sensor_msgs/msg/Imu", typestore=types)
        b = bag.add_connection("/own", "own_msgs/msg/Own", typestore=types)
        for k in range(COUNT):
            bag.write(a, ns(k), types.serialize_ros1(imu(types, k, True), "sensor_msgs/msg/Imu"))
            bag.write(b, ns(k), types.serialize_ros1(own(types, k), "own_msgs/msg/Own"))


def bag2(name, plugin, big_endian=False, version=9, compressed=False):
    types = store(Stores.ROS2_JAZZY)
    folder = to / name
    bag = Bag2(folder, version=version, storage_plugin=plugin)
    if compressed:
        bag.set_compression(CompressionMode.MESSAGE, CompressionFormat.ZSTD)
    with bag:
        a = bag.add_connection("/imu", "sensor_msgs/msg/Imu", typestore=types)
        b = bag.add_connection("/own", "own_msgs/msg/Own", typestore=types)
        for k in range(COUNT):
            little = not big_endian
            bag.write(a, ns(k), types.serialize_cdr(imu(types, k), "sensor_msgs/msg/Imu", little_endian=little))
            bag.write(b, ns(k), types.serialize_cdr(own(types, k), "own_msgs/msg/Own", little_endian=little))
    for file in folder.iterdir():
        if file.suffix in (".db3", ".mcap"):
            file.rename(to / f"{name}{file.suffix}")
        else:
            file.unlink()
    folder.rmdir()


VECTOR = "float64 x\nfloat64 y\nfloat64 z\n"
TWIST = "geometry_msgs/Vector3 linear\ngeometry_msgs/Vector3 angular\n" + "=" * 80 + "\nMSG: geometry_msgs/Vector3\n" + VECTOR


def mcap2(name, by_topic):
    """Twist on two topics; by_topic: all of the second first."""
    with open(to / name, "wb") as file:
        writer = Ros2Mcap(file, chunk_size=2048, compression=CompressionType.ZSTD)
        schema = writer.register_msgdef("geometry_msgs/msg/Twist", TWIST)
        order = [(k, t) for k in range(COUNT) for t in ("/a", "/b")]
        if by_topic:
            order.sort(key=lambda p: p[1], reverse=True)
        for k, topic in order:
            zero = {"x": 0.0, "y": 0.0, "z": 0.0}
            linear = {"x": k / 4, "y": float(-k), "z": float(k * k)}
            writer.write_message(topic, schema, {"linear": linear, "angular": zero}, log_time=ns(k), publish_time=ns(k))
        writer.finish()


def mcap1(name):
    """Twist of ROS 1."""

    class Vector3:
        _type = "geometry_msgs/Vector3"

    class Twist:
        _type = "geometry_msgs/Twist"
        _full_text = TWIST

        def __init__(self, k):
            self.k = k

        def serialize(self, out):
            out.write(np.array([self.k / 4, -self.k, self.k * self.k, 0, 0, 0], dtype="<f8").tobytes())

    with open(to / name, "wb") as file:
        writer = Ros1Mcap(file, chunk_size=2048)
        for k in range(COUNT):
            writer.write_message("/a", Twist(k), log_time=ns(k), publish_time=ns(k))
        writer.finish()


bag1("plain.bag", None)
bag1("lz4.bag", Bag1.CompressionFormat.LZ4)
bag1("bz2.bag", Bag1.CompressionFormat.BZ2)
bag2("jazzy", StoragePlugin.SQLITE3)
bag2("humble", StoragePlugin.SQLITE3, version=8)
bag2("compressed", StoragePlugin.SQLITE3, compressed=True)
bag2("rosbags", StoragePlugin.MCAP, big_endian=True)
mcap2("in_order.mcap", False)
mcap2("by_topic.mcap", True)
mcap1("ros1.mcap")
