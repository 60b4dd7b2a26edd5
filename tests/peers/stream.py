"""A client of /v1/stream by `websockets`: views at a rate, in JSON and CBOR, one that does not read, mistakes.

Usage: stream.py HOST TOKEN
"""

import asyncio
import json
import sys
import time

import cbor2
import websockets

host, token = sys.argv[1:3]


def connect(query=""):
    headers = {"Authorization": f"Bearer {token}"}
    return websockets.connect(f"ws://{host}/v1/stream{query}", additional_headers=headers, max_queue=None)


async def views(socket, decode, seconds):
    """The views that come within some seconds, and the times of their arrival."""
    found, times, until = [], [], time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            message = decode(await asyncio.wait_for(socket.recv(), 0.5))
        except TimeoutError:
            continue
        if message["type"] == "view":
            found.append(message)
            times.append(time.monotonic())
    return found, times


async def at_a_rate(query, encode, decode):
    async with connect(query) as socket:
        await socket.send(encode({"type": "subscribe", "sensors": ["rover/i*"], "rate_hz": 50}))
        found, times = await views(socket, decode, 3)
        rate = (len(times) - 1) / (times[-1] - times[0])
        assert 40 < rate < 60, rate
        ticks = [view["tick"] for view in found]
        assert ticks == sorted(set(ticks)), ticks
        assert all(a["sequence"] < b["sequence"] for a, b in zip(found, found[1:]))
        sensors = {sensor["sensor"] for view in found for sensor in view["sensors"]}
        assert sensors == {"rover/imu"}, sensors
        assert found[-1]["agents"][0]["agent"] == "rover"
        return rate


async def some_fields(query, encode, decode):
    async with connect(query) as socket:
        fields = ["pose", "angular_velocity_*"]
        await socket.send(encode({"type": "subscribe", "sensors": ["rover/*"], "rate_hz": 50, "fields": fields}))
        found, _ = await views(socket, decode, 1)
        assert set(found[-1]["agents"][0]) == {"agent", "pose"}, found[-1]["agents"]
        sensors = {sensor["sensor"]: sensor for sensor in found[-1]["sensors"]}
        imu = sensors["rover/imu"]
        assert imu["fields"] == [f"angular_velocity_{axis}" for axis in "xyz"] and len(imu["values"]) == 3, imu
        assert imu["source_s"] > 0 and sensors["rover/lidar"]["values"] == [], sensors


async def mistakes():
    async with connect() as socket:
        for text in ["{", '{"type": "drive"}', '{"type": "subscribe", "rate_hz": 1e9}', '{"type": "subscribe", "rate": 1}']:
            await socket.send(text)
            while (message := json.loads(await socket.recv()))["type"] != "error":
                pass
            assert message["detail"], text
        await socket.send('{"type": "ping", "id": 7}')
        while (message := json.loads(await socket.recv()))["type"] != "pong":
            pass
        assert message["id"] == 7
        # Too large a message ends the connection, and nothing else.
        await socket.send("x" * 100_000)
        try:
            while True:
                await socket.recv()
        except websockets.ConnectionClosed:
            pass
    for headers in [{}, {"Authorization": "Bearer 0123456789abcdef"}]:
        try:
            async with websockets.connect(f"ws://{host}/v1/stream", additional_headers=headers):
                raise AssertionError("opened without a token")
        except websockets.InvalidStatus as error:
            assert error.response.status_code == 401


async def commands():
    """Commands and stops, answered with their numbers beside the views."""
    async with connect() as socket:
        await socket.send(json.dumps({"type": "subscribe", "rate_hz": 50}))
        drive = {"kind": "drive", "linear_m_s": 0.1}
        for number in range(3):
            command = {"type": "command", "id": number, "agent": "rover", "lease": "none", "command": drive}
            await socket.send(json.dumps(command))
        await socket.send(json.dumps({"type": "stop", "id": 9, "agent": "crane"}))
        await socket.send(json.dumps({"type": "stop", "id": 10}))
        answers, seen = {}, 0
        while len(answers) < 5:
            message = json.loads(await socket.recv())
            seen += message["type"] == "view"
            if message["type"] == "answer":
                answers[message["id"]] = message
        assert all(answers[k]["problem"]["status"] == 403 for k in range(3)), answers
        assert answers[9]["problem"]["status"] == 404 and answers[10]["problem"] is None, answers


async def main():
    rate = await at_a_rate("", json.dumps, json.loads)
    print(f"JSON: {rate:.1f} Hz")
    print(f"CBOR: {await at_a_rate('?encoding=cbor', cbor2.dumps, cbor2.loads):.1f} Hz")
    await some_fields("", json.dumps, json.loads)
    await some_fields("?encoding=cbor", cbor2.dumps, cbor2.loads)
    # Twenty that ask for everything and read nothing.
    idle = [await connect() for _ in range(20)]
    for socket in idle:
        await socket.send(json.dumps({"type": "subscribe", "sensors": ["*"], "rate_hz": 200}))
        socket.transport.pause_reading()
    print(f"beside twenty that do not read: {await at_a_rate('', json.dumps, json.loads):.1f} Hz")
    for socket in idle:
        socket.transport.abort()
    await mistakes()
    await commands()


asyncio.run(main())
