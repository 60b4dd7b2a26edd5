"""Writes a stream of a GNSS receiver or an autopilot with damage between its messages, and what was put into it.

streams.py nmea|ubx|mavlink COUNT SEED FOLDER

Messages are encoded by pynmeagps, pyubx2 and pymavlink. FOLDER/stream.bin has the bytes, FOLDER/truth.json the readings
and the numbers of good and of damaged messages.
"""

import json
import math
import random
import sys

kind, count, seed, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
rng = random.Random(seed)
good, damaged = [], {"garbage": 0, "half": 0, "wrong": 0}
stream = bytearray()
readings = []

# Bytes that begin no message of any protocol, and end no line.
NOISE = [b for b in range(256) if b not in (0x24, 0x2A, 0x0A, 0x0D, 0xB5, 0xFD)]


def damage(message):
    """Adds something damaged before a good message, now and then."""
    case = rng.randrange(12)
    if case == 0:
        stream.extend(rng.choice(NOISE) for _ in range(rng.randrange(1, 40)))
        damaged["garbage"] += 1
    elif case == 1:
        # A message that breaks off in the middle of its payload.
        first = 3 if kind == "nmea" else 12
        stream.extend(message[: rng.randrange(first, len(message) - 8)])
        damaged["half"] += 1
    elif case == 2:
        wrong = bytearray(message)
        at = len(message) - 4 if kind == "nmea" else len(message) - 1
        wrong[at] = ord("0") + (wrong[at] - ord("0") + 1) % 10 if kind == "nmea" else wrong[at] ^ 0x55
        stream.extend(wrong)
        damaged["wrong"] += 1


def send(message, intact=False):
    if not intact:
        damage(message)
    stream.extend(message)
    good.append(len(message))


def place(k):
    """A drive in circles around Zurich."""
    angle = k * 0.01
    return {
        "latitude": 47.3769 + 0.01 * math.sin(angle),
        "longitude": 8.5417 + 0.01 * math.cos(angle),
        "altitude": 408.0 + 20 * math.sin(angle * 0.3),
        "speed": 5.0 + 4 * math.sin(angle * 0.7),
        "course": (k * 1.7) % 360.0,
    }


if kind == "nmea":
    import datetime

    from pynmeagps import GET, NMEAMessage

    for k in range(count):
        at = place(k)
        seconds = 3600 + k * 0.2
        moment = (datetime.datetime(2026, 11, 29) + datetime.timedelta(seconds=seconds)).time()
        talker = rng.choice(["GP", "GN", "GL", "GA"])
        knots = round(at["speed"] / 0.5144444444444445, 3)
        course = round(at["course"], 2)
        altitude = round(at["altitude"], 2)
        date = datetime.date(2026, 11, 29)
        gga = NMEAMessage(talker, "GGA", GET, time=moment, lat=at["latitude"], NS="N", lon=at["longitude"], EW="E",
                          quality=1, numSV=11, HDOP=0.8, alt=altitude, altUnit="M", sep=47.5, sepUnit="M")
        rmc = NMEAMessage(talker, "RMC", GET, time=moment, status="A", lat=at["latitude"], NS="N", lon=at["longitude"],
                          EW="E", spd=knots, cog=course, date=date, mv="", mvEW="", posMode="A")
        vtg = NMEAMessage(talker, "VTG", GET, cogt=course, cogtUnit="T", cogm="", cogmUnit="M", sogn=knots,
                          sognUnit="N", sogk=round(knots * 1.852, 3), sogkUnit="K", posMode="A")
        gsa = NMEAMessage("GN", "GSA", GET, opMode="A", navMode=3, svid_01=1, svid_02=7, svid_03=9, svid_04=22,
                          PDOP=1.5, HDOP=0.8, VDOP=1.2, systemId=1)
        zda = NMEAMessage(talker, "ZDA", GET, time=moment, day=29, month=11, year=2026, ltzh="00", ltzn="00")
        hdt = NMEAMessage("HE", "HDT", GET, headingT=course, headingTu="T")
        sentences = [gga, rmc, vtg, gsa, zda, hdt]
        if k % 2:
            sentences = [rmc, vtg, gga, gsa, zda, hdt]
        for sentence in sentences:
            send(sentence.serialize())
        radians = math.radians(course)
        readings.append({
            "latitude": at["latitude"], "longitude": at["longitude"], "height": altitude + 47.5,
            "velocity_east": knots * 1852 / 3600 * math.sin(radians),
            "velocity_north": knots * 1852 / 3600 * math.cos(radians),
            "heading": course,
            "unix_s": datetime.datetime(2026, 11, 29, tzinfo=datetime.timezone.utc).timestamp() + round(seconds, 2),
        })
elif kind == "ubx":
    from pyubx2 import GET, UBXMessage

    for k in range(count):
        at = place(k)
        radians = math.radians(at["course"])
        east, north = at["speed"] * math.sin(radians), at["speed"] * math.cos(radians)
        pvt = UBXMessage("NAV", "NAV-PVT", GET, iTOW=k * 200, year=2026, month=11, day=29, hour=1, min=k // 300 % 60,
                         second=k // 5 % 60, validDate=1, validTime=1, fullyResolved=1, nano=k % 5 * 200_000_000,
                         fixType=3, gnssFixOk=1, numSV=14, lon=at["longitude"], lat=at["latitude"],
                         height=round((at["altitude"] + 47.5) * 1000), hMSL=round(at["altitude"] * 1000),
                         hAcc=1500, vAcc=2500, velN=round(north * 1000), velE=round(east * 1000), velD=-120,
                         gSpeed=round(at["speed"] * 1000), headMot=at["course"], sAcc=90, pDOP=1.5)
        sats = {}
        number = 8 + k % 5
        for n in range(1, number + 1):
            sats |= {f"gnssId_{n:02}": 0, f"svId_{n:02}": n, f"cno_{n:02}": 30 + n, f"svUsed_{n:02}": n % 2}
        sat = UBXMessage("NAV", "NAV-SAT", GET, iTOW=k * 200, version=1, numSvs=number, **sats)
        send(pvt.serialize())
        send(sat.serialize())
        used = [30 + n for n in range(1, number + 1) if n % 2]
        readings.append({
            "latitude": at["latitude"], "longitude": at["longitude"], "height": at["altitude"] + 47.5,
            "velocity_east": east, "velocity_north": north, "velocity_up": 0.12,
            "satellites_visible": number, "satellites_used": len(used), "cno_mean": sum(used) / len(used),
            "unix_s": 1795914000 + k // 5 % 60 + k // 300 % 60 * 60 + k % 5 * 0.2,
        })
elif kind == "mavlink":
    from pymavlink.dialects.v20 import ardupilotmega as dialect

    AHRS = 163

    class Wire:
        """A message of another dialect cannot be checked: it is found by the message that follows it at once."""

        after_ahrs = False

        def write(self, message):
            is_ahrs = message[7] == AHRS
            send(bytes(message), is_ahrs or self.after_ahrs)
            self.after_ahrs = is_ahrs

    mav = dialect.MAVLink(Wire(), srcSystem=1, srcComponent=1)
    gravity = 9.80665
    for k in range(count):
        at = place(k)
        gyro = [round(1000 * math.sin(k * 0.05 + axis)) for axis in range(3)]
        acc = [round(100 * math.cos(k * 0.05 + axis)) for axis in range(2)] + [-1000]
        mav.heartbeat_send(dialect.MAV_TYPE_GROUND_ROVER, dialect.MAV_AUTOPILOT_ARDUPILOTMEGA, 129, 15, 4)
        mav.attitude_send(k * 10, 0.1, -0.2, 0.5, 0.01, 0.02, 0.03)
        mav.raw_imu_send(k * 10_000, *acc, *gyro, 0, 0, 0)
        mav.gps_raw_int_send(k * 10_000, 3, round(at["latitude"] * 1e7), round(at["longitude"] * 1e7),
                             round(at["altitude"] * 1000), 80, 120, round(at["speed"] * 100),
                             round(at["course"] * 100), 14, round((at["altitude"] + 47.5) * 1000))
        mav.ahrs_send(0.001, 0.002, 0.003, 1.0, 0.0, 0.1, 0.2)
        radians = math.radians(round(at["course"], 2))
        readings.append({
            "latitude": at["latitude"], "longitude": at["longitude"], "height": at["altitude"] + 47.5,
            "velocity_east": at["speed"] * math.sin(radians), "velocity_north": at["speed"] * math.cos(radians),
            "angular_velocity_x": gyro[0] / 1000, "angular_velocity_y": -gyro[1] / 1000,
            "angular_velocity_z": -gyro[2] / 1000, "specific_force_x": acc[0] / 1000 * gravity,
            "specific_force_y": -acc[1] / 1000 * gravity, "specific_force_z": gravity,
            "roll": 0.1, "pitch": -0.2, "yaw": 0.5, "armed": 1, "unix_s": k * 0.01,
        })
    mav.heartbeat_send(dialect.MAV_TYPE_GROUND_ROVER, dialect.MAV_AUTOPILOT_ARDUPILOTMEGA, 129, 15, 4)

with open(f"{folder}/stream.bin", "wb") as file:
    file.write(stream)
with open(f"{folder}/truth.json", "w") as file:
    json.dump({"bytes": len(stream), "frames": len(good), "frame_bytes": sum(good), "readings": readings, **damaged}, file)
