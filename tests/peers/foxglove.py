"""Clients of /foxglove by `websockets` and the written protocol: topics against a recording, who gets in, slow and many
clients, services, parameters, twists, a reset.

Usage: foxglove.py CASE HOST [ARGUMENT]
"""

import asyncio
import base64
import json
import os
import struct
import sys
import time
import urllib.error
import urllib.request

import websockets

OWNER, OPERATOR, VIEWER = (f"{role}-0123456789abcdef" for role in ["owner", "operator", "viewer"])
PROTOCOL = "foxglove.sdk.v1"
STATUS = ["playing", "paused", "buffering", "ended"]
case, host, *arguments = sys.argv[1:]


def ask(method, path, token=VIEWER, body=None, lease=None):
    """Status and content of an answer of REST."""
    headers = {"Authorization": f"Bearer {token}"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    if lease:
        headers["Lease"] = lease
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://{host}{path}", data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            text, status = answer.read(), answer.status
    except urllib.error.HTTPError as error:
        text, status = error.read(), error.code
    return status, json.loads(text) if text else None


def get(path):
    status, content = ask("GET", path)
    assert status == 200, (path, status, content)
    return content


def open_socket(token=None, query="", origin=None, protocols=(PROTOCOL,)):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return websockets.connect(
        f"ws://{host}/foxglove{query}",
        additional_headers=headers,
        origin=origin,
        subprotocols=protocols or None,
        max_size=None,
        max_queue=None,
        open_timeout=10,
    )


class Client:
    """What one connection received."""

    def __init__(self, socket):
        self.socket = socket
        self.info = None
        self.sessions = []
        self.channels = {}
        self.services = {}
        self.statuses = []
        self.parameters = {}
        self.subscriptions = {}
        self.next_id = 1
        self.messages = []
        self.times = []
        self.answers = {}
        self.playback = []

    async def take(self, limit):
        """Takes one message; False where none comes in time."""
        try:
            message = await asyncio.wait_for(self.socket.recv(), limit)
        except TimeoutError:
            return False
        if isinstance(message, bytes):
            op = message[0]
            if op == 1:
                subscription, log_ns = struct.unpack_from("<IQ", message, 1)
                # One that was unsubscribed since may be on its way.
                topic = self.subscriptions.get(subscription)
                self.messages.append((topic, log_ns, message[13:]))
            elif op == 2:
                self.times.append(struct.unpack_from("<Q", message, 1)[0])
            elif op == 3:
                service, call, length = struct.unpack_from("<III", message, 1)
                assert message[13 : 13 + length] == b"json"
                self.answers[call] = json.loads(message[13 + length :])
            elif op == 5:
                status, at_ns, speed, did_seek, length = struct.unpack_from("<BQfBI", message, 1)
                request = message[19 : 19 + length].decode()
                self.playback.append((STATUS[status], at_ns, speed, bool(did_seek), request or None))
            else:
                raise AssertionError(f"op {op}")
            return True
        message = json.loads(message)
        match message["op"]:
            case "serverInfo":
                self.info = message
                self.sessions.append(message["sessionId"])
                self.subscriptions.clear()
            case "advertise":
                for channel in message["channels"]:
                    assert channel["id"] not in self.channels
                    self.channels[channel["id"]] = channel
            case "unadvertise":
                for channel in message["channelIds"]:
                    del self.channels[channel]
            case "advertiseServices":
                for service in message["services"]:
                    self.services[service["name"]] = service
            case "unadvertiseServices":
                self.services = {n: s for n, s in self.services.items() if s["id"] not in message["serviceIds"]}
            case "status":
                self.statuses.append(message)
            case "parameterValues":
                for parameter in message["parameters"]:
                    self.parameters[parameter["name"]] = parameter.get("value")
                self.answers[message.get("id")] = message
            case "serviceCallFailure":
                self.answers[message["callId"]] = message["message"]
            case other:
                raise AssertionError(other)
        return True

    async def until(self, what, reached, limit=20):
        end = time.monotonic() + limit
        while not reached():
            assert time.monotonic() < end, f"not within {limit} s: {what}; {self.statuses[-3:]}"
            await self.take(0.2)

    async def listen(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            await self.take(left)

    def topics(self):
        return {channel["topic"]: channel for channel in self.channels.values()}

    async def send(self, message):
        await self.socket.send(json.dumps(message))

    async def subscribe(self, *topics):
        """Subscribes to these topics, or to all that it does not look at yet."""
        wanted = []
        for topic, channel in self.topics().items():
            if (not topics or topic in topics) and topic not in self.subscriptions.values():
                self.subscriptions[self.next_id] = topic
                wanted.append({"id": self.next_id, "channelId": channel["id"]})
                self.next_id += 1
        if wanted:
            await self.send({"op": "subscribe", "subscriptions": wanted})

    async def call(self, name, encoding="json"):
        self.next_id += 1
        call, encoding = self.next_id, encoding.encode()
        header = struct.pack("<BIII", 2, self.services[name]["id"], call, len(encoding))
        await self.socket.send(header + encoding + b"{}")
        await self.until(f"an answer of {name}", lambda: call in self.answers)
        return self.answers[call]

    async def play(self, plays, speed=1.0, to_ns=None):
        """Asks for playback; returns the state of the answer."""
        self.next_id += 1
        request = str(self.next_id).encode()
        sought = (to_ns is not None, to_ns or 0)
        await self.socket.send(struct.pack("<BBfBQI", 3, not plays, speed, *sought, len(request)) + request)
        answer = []
        await self.until("a state", lambda: answer.extend(p for p in self.playback if p[4] == request.decode()) or answer)
        return answer[0]

    async def publishes(self, channel, topic, encoding="json"):
        schema = {"id": channel, "topic": topic, "encoding": encoding, "schemaName": "geometry_msgs/Twist"}
        await self.send({"op": "advertise", "channels": [schema]})

    async def publish(self, channel, message):
        await self.socket.send(struct.pack("<BI", 1, channel) + json.dumps(message).encode())

    async def refused(self, words):
        """Waits for a status with these words."""
        await self.until(f"a refusal: {words}", lambda: any(words in s["message"] for s in self.statuses))
        assert all(s["level"] == 2 for s in self.statuses if words in s["message"])
        self.statuses.clear()


def twist(x, z=0.0):
    # As ROS has it, with all that this rover cannot do.
    return {"linear": {"x": x, "y": 0, "z": 0}, "angular": {"x": 0, "y": 0, "z": z}}


async def connected(token=None, query=""):
    client = Client(await open_socket(token, query))
    assert client.socket.subprotocol == PROTOCOL
    await client.until("the first words", lambda: client.info and client.channels and client.services)
    return client


def rover():
    return get("/v1/agents/rover")


async def until(what, reached, limit=20):
    end = time.monotonic() + limit
    while not reached():
        assert time.monotonic() < end, f"not within {limit} s: {what}"
        await asyncio.sleep(0.01)


# Cases.


async def recorded(seconds):
    """What was sent is what a recording of the run has, which is read when the run is over."""
    client = await connected(VIEWER)
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        await client.subscribe()
        await client.take(0.05)
    # The times of the run are at most 50 ms behind, and a little for this machine.
    steps = [b - a for a, b in zip(client.times, client.times[1:])]
    assert len(client.times) > 10 * float(seconds), len(client.times)
    middle = sorted(steps)[len(steps) // 2]
    assert middle < 80e6, middle
    with open("live.json", "w") as file:
        channels = list(client.channels.values())
        messages = [[t, ns, base64.b64encode(data).decode()] for t, ns, data in client.messages]
        json.dump({"channels": channels, "messages": messages}, file)
    await client.socket.close()
    assert client.socket.close_code == 1000
    assert not client.statuses, client.statuses


def compared():
    """Compares `live.json` with `run.mcap`, read by the package of the format's authors."""
    from mcap.reader import make_reader

    live = json.load(open("live.json"))
    channels, found = {}, {}
    with open("run.mcap", "rb") as file:
        for schema, channel, message in make_reader(file).iter_messages(log_time_order=False):
            channels[channel.topic] = (channel, schema)
            found.setdefault(channel.topic, []).append((message.log_time, message.data))
    for told in live["channels"]:
        channel, schema = channels[told["topic"]]
        assert told["encoding"] == channel.message_encoding
        assert told["schemaName"] == schema.name
        assert told["schemaEncoding"] == schema.encoding
        data = told["schema"]
        assert (base64.b64decode(data) if schema.encoding == "protobuf" else data.encode()) == schema.data, told["topic"]
        assert told.get("metadata", {}) == channel.metadata
    shown = {}
    for topic, log_ns, data in live["messages"]:
        shown.setdefault(topic, []).append((log_ns, base64.b64decode(data)))
    hashes = sorted(log_ns for log_ns, _ in shown["/journal/hash"])
    # All subscriptions were there a second after the first; in the last tenth messages were on their way.
    begin, end = hashes[0] + 10**9, hashes[-1] - 10**8
    assert end - begin > 10**9, (begin, end)
    within = lambda messages: [m for m in messages if begin < m[0] <= end]
    compared = 0
    for topic, messages in found.items():
        expected = within(messages)
        assert within(shown.get(topic, [])) == expected, topic
        compared += len(expected)
    # What was sent at the start of the run is known to who comes later.
    for topic in ["/scene", "/tf", "/journal/run"]:
        assert shown[topic][0] == found[topic][0], topic
    assert {"/tf", "/rover/pose", "/rover/lidar/scan", "/rover/imu", "/rover/odometry"} <= set(shown)
    print(f"{len(live['channels'])} topics, {compared} messages equal")


async def access():
    async def status(**how):
        try:
            async with open_socket(**how):
                return 101
        except websockets.InvalidStatus as error:
            return error.response.status_code

    assert await status() == 401
    assert await status(token="viewer-0123456789abcdee") == 401
    assert await status(query="?code=0123") == 401
    assert await status(token=VIEWER, origin="https://app.foxglove.dev") == 403
    assert await status(token=VIEWER, origin=f"http://{host}") == 101
    assert await status(token=VIEWER, query="?colour=red") == 400
    assert await status(token=VIEWER, protocols=()) == 400
    assert await status(token=VIEWER, protocols=("foxglove.sdk.v9",)) == 400
    assert await status(token=VIEWER, protocols=("foxglove.sdk.v1.1", PROTOCOL)) == 101
    assert ask("POST", "/v1/foxglove/code", token="nobody-0123456789abcdef")[0] == 401
    made, code = ask("POST", "/v1/foxglove/code")
    assert made == 201 and code["lasts_s"] == 600, code
    assert code["path"] == f"/v1/runs/s/foxglove?code={code['code']}"
    query = "?code=" + code["code"]
    # A request that is refused for its subprotocol does not use it up, and another site may not use it.
    assert await status(query=query, protocols=()) == 400
    assert await status(query=query, origin="https://app.foxglove.dev") == 403
    # Once, and for what its caller may.
    client = await connected(query=query)
    assert "clientPublish" not in client.info["capabilities"]
    assert await status(query=query) == 401
    # One port alone: nobody gets in beside the gate.
    inodes = set()
    for name in os.listdir(f"/proc/{arguments[0]}/fd"):
        try:
            target = os.readlink(f"/proc/{arguments[0]}/fd/{name}")
        except FileNotFoundError:
            # Closed since.
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    listening = []
    for table in ["tcp", "tcp6"]:
        for line in open(f"/proc/net/{table}").readlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                listening.append(int(fields[1].split(":")[1], 16))
    assert listening == [int(host.split(":")[1])], listening
    # Pings are answered, mistakes are said, and a close is answered.
    await asyncio.wait_for(await client.socket.ping(b"x"), 10)
    for wrong in ["{", '{"op": "dance"}', b"\xff", b"\x01"]:
        await client.socket.send(wrong)
        await client.refused("none of the protocol")
    await client.send({"op": "subscribe", "subscriptions": [{"id": 1, "channelId": 999}]})
    await client.refused("expected one that is advertised")
    await client.socket.close(1000)
    # The end of the run closes the rest.
    client = await connected(OWNER)
    assert ask("POST", "/v1/run/end", token=OWNER)[0] == 204
    try:
        while True:
            await asyncio.wait_for(client.socket.recv(), 10)
    except websockets.ConnectionClosed as closed:
        assert closed.rcvd.code == 1001, closed


async def crowd():
    """Ticks come as fast beside a client that does not read and beside twenty that do; memory stays bounded."""
    status = f"/proc/{arguments[0]}/status"

    def memory():
        return next(int(line.split()[1]) for line in open(status) if line.startswith("VmRSS"))

    async def rate(seconds, readers):
        before, begun = get("/v1/run")["tick"], time.monotonic()
        await asyncio.gather(asyncio.sleep(seconds), *(client.listen(seconds) for client in readers))
        return (get("/v1/run")["tick"] - before) / (time.monotonic() - begun)

    alone = await rate(3, [])
    slow = await connected(VIEWER)
    await slow.subscribe()
    slow.socket.transport.pause_reading()
    before = memory()
    beside_slow = await rate(3, [])
    clients = [await connected(VIEWER) for _ in range(20)]
    for client in clients:
        await client.subscribe("/scene", "/tf", "/rover/pose", "/rover/imu", "/rover/lidar/scan")
    beside_all = await rate(5, clients)
    grown = memory() - before
    print(f"{alone:.0f} ticks/s alone, {beside_slow:.0f} beside one that does not read, {beside_all:.0f} beside 20; {grown} kB more")
    assert beside_slow > 0.9 * alone and beside_all > 0.9 * alone
    assert grown < 150_000, grown
    for client in clients:
        assert len(client.messages) > 500, len(client.messages)
        await client.socket.close()
    # A client that takes nothing for ten seconds is closed.
    slow.socket.transport.abort()


async def steers():
    viewer = await connected(VIEWER)
    assert set(viewer.services) == {"/stop", "/agents/rover/stop"}
    owner_path = "/v1/agents/rover/lease"

    def lease(**wanted):
        status, granted = ask("POST", owner_path, OWNER, {"for_s": 60, "heartbeat_s": 60, **wanted})
        assert status == 201, granted
        return granted["id"]

    # A viewer may not publish, whatever it knows.
    await viewer.publishes(1, "/rover/cmd_vel")
    await viewer.refused("role viewer; expected operator")
    operator = await connected(OPERATOR)
    assert "clientPublish" in operator.info["capabilities"]
    for topic, encoding, words in [
        ("/rover/cmd_vel", "ros1", "expected `json`"),
        ("/crane/cmd_vel", "json", "expected one of `rover`"),
        ("/rover/go", "json", "expected `/AGENT/cmd_vel`"),
        ("/rover/cmd_vel", "json", "found a connection without a lease"),
    ]:
        await operator.publishes(1, topic, encoding)
        await operator.refused(words)
    await operator.publish(1, twist(0.3))
    await operator.refused("found a connection without a lease")
    await operator.publish(7, twist(0.3))
    await operator.refused("expected one that the client advertised")
    assert rover()["request"] is None, rover()
    # With a lease it drives, within its limits.
    secret = lease(max_linear_m_s=0.4, heartbeat_s=1.5)
    driver = await connected(OPERATOR, f"?lease={secret}")
    await driver.publishes(1, "/rover/cmd_vel")
    for k in range(20):
        await driver.publish(1, twist(-0.3))
        await driver.listen(0.1)
    assert not driver.statuses, driver.statuses
    assert rover()["request"] == "foxglove" and rover()["velocity"]["linear_m_s"] < -0.2, rover()
    beat = time.monotonic()
    await driver.publish(1, twist(0.41))
    await driver.refused("found 0.41 m/s; expected at most 0.4 m/s, the limit of this lease")
    await driver.publish(1, {"linear": {"y": 0.1}})
    await driver.refused("found `linear.y` 0.1")
    await driver.publish(1, [1])
    await driver.refused("expected a twist")
    # Another lease than this one is none.
    other = await connected(OPERATOR, "?lease=0123")
    await other.publishes(1, "/rover/cmd_vel")
    await other.publish(1, twist(0.1))
    await other.refused("found another lease than that of `rover`")
    # Silence ends it, and nothing else does.
    await until("the end by silence", lambda: rover()["request"] is None)
    assert 1.4 < time.monotonic() - beat < 4, time.monotonic() - beat
    await driver.publish(1, twist(0.1))
    await driver.refused("found no lease of `rover`")
    # A connection that breaks ends it at once.
    driver = await connected(OPERATOR, "?lease=" + lease())
    await driver.publishes(1, "/rover/cmd_vel")
    await driver.publish(1, twist(0.2, 0.1))
    await until("the twist", lambda: rover()["request"])
    begun = time.monotonic()
    driver.socket.transport.abort()
    await until("the end by a broken connection", lambda: rover()["request"] is None)
    assert time.monotonic() - begun < 5
    # A viewer stops, whatever drives.
    assert (await viewer.call("/agents/rover/stop"))["success"]
    await until("the stop", lambda: rover()["mode"] == "stopped")
    assert ask("POST", "/v1/agents/rover/clear_stop", OWNER)[0] == 202
    await until("no stop", lambda: rover()["mode"] != "stopped")
    assert (await viewer.call("/stop"))["success"]
    await until("the stop of all", lambda: rover()["mode"] == "stopped")
    assert "expected `json`" in await viewer.call("/stop", "cdr")
    # A service that is not a viewer's is none to it.
    viewer.services["/reset"] = operator.services["/reset"] | {"id": 99}
    assert "expected one that is advertised to this client" in await viewer.call("/reset")


async def run_and_reset():
    operator, viewer = await connected(OPERATOR), await connected(VIEWER)
    # Parameters.
    await operator.send({"op": "getParameters", "parameterNames": [], "id": "all"})
    await operator.until("parameters", lambda: "all" in operator.answers)
    assert operator.parameters["paused"] is False and operator.parameters["pace"] == 1.0, operator.parameters
    assert operator.parameters["scene"] and isinstance(operator.parameters["seed"], int)
    ask("POST", "/v1/agents/rover/lease", OWNER, {"for_s": 60, "max_linear_m_s": 0.4})
    await viewer.send({"op": "subscribeParameterUpdates", "parameterNames": ["paused", "leases/rover"]})
    await viewer.until("a lease", lambda: viewer.parameters.get("leases/rover"))
    assert viewer.parameters["leases/rover"]["max_linear_m_s"] == 0.4 and "id" not in viewer.parameters["leases/rover"]

    def setting(name, value, id=None):
        return {"op": "setParameters", "parameters": [{"name": name, "value": value}], "id": id}

    await viewer.send(setting("paused", True))
    await viewer.refused("expected operator, to set `paused`")
    await operator.send(setting("paused", True, "set"))
    await operator.until("an answer", lambda: "set" in operator.answers)
    assert operator.answers["set"]["parameters"] == [{"name": "paused", "value": True}]
    await viewer.until("the pause", lambda: viewer.parameters["paused"] is True)
    assert get("/v1/run")["is_paused"] is True
    for name, value, words in [
        ("scene", "x", "expected `paused` or `pace`"),
        ("pace", 0, "expected a factor from 0.001"),
        ("paused", 1, "expected true or false"),
    ]:
        await operator.send(setting(name, value))
        await operator.refused(words)
    # Who comes to a paused run is shown where it stands.
    for client in [operator, viewer]:
        await client.socket.close()
    await asyncio.sleep(0.5)
    operator = await connected(OPERATOR)
    await operator.subscribe()
    await operator.until("the pose", lambda: any(t == "/rover/pose" for t, *_ in operator.messages))
    late = await connected(VIEWER)
    await late.subscribe("/scene", "/rover/pose")
    await late.until("scene and pose", lambda: {"/scene", "/rover/pose"} <= {t for t, *_ in late.messages})
    assert (await operator.call("/resume"))["success"]
    await until("the run", lambda: not get("/v1/run")["is_paused"])
    assert (await operator.call("/pause"))["success"]
    await until("the pause", lambda: get("/v1/run")["is_paused"])
    await operator.send(setting("pace", 2.0))
    assert (await operator.call("/resume"))["success"]
    begun, tick = time.monotonic(), get("/v1/run")["tick"]
    await operator.listen(2)
    factor = (get("/v1/run")["tick"] - tick) / (time.monotonic() - begun) / 1000
    assert 1.5 < factor < 2.5, factor
    # A reset begins another session, with its own channels.
    known, session = dict(operator.channels), operator.info["sessionId"]
    last = operator.messages[-1][1]
    assert (await operator.call("/reset"))["success"]
    await operator.until("another session", lambda: operator.info["sessionId"] != session)
    await operator.until("its channels", lambda: "/scene" in operator.topics() and not set(known) & set(operator.channels))
    operator.messages.clear()
    await operator.listen(0.5)
    assert not operator.messages, operator.messages[:3]
    await operator.subscribe()
    await operator.until("its scene", lambda: any(t == "/scene" for t, *_ in operator.messages))
    scenes = [ns for t, ns, _ in operator.messages if t == "/scene"]
    # Times go on.
    assert scenes[0] > last - 10**9, (scenes, last)
    assert len(operator.sessions) == 2, operator.sessions
    await late.until("the other session", lambda: len(late.sessions) == 2)


async def plays():
    """A recording of 8 s that is played: forwards, to other times, to its end."""
    viewer, operator = await connected(VIEWER), await connected(OPERATOR)
    await operator.until("the channels", lambda: "/rover/imu" in operator.topics())
    assert "playbackControl" in operator.info["capabilities"], operator.info
    start, end = (operator.info[f"data{which}Time"] for which in ["Start", "End"])
    assert (start["sec"], start["nsec"]) == (0, 0) and 7 <= end["sec"] <= 9, (start, end)
    await operator.subscribe("/rover/imu")
    assert (await operator.play(False))[0] == "paused"
    await operator.listen(0.5)
    # Back and forth: what comes has the times of the recording.
    for to_s in [5, 2, 6]:
        operator.messages.clear()
        # Backwards is another session, with its own channels.
        known = set(operator.channels) if to_s == 2 else set()
        await operator.play(False, to_ns=to_s * 10**9)
        await operator.until("the place", lambda at=to_s: abs(get("/v1/run")["playback"]["at_s"] - at) < 0.01)
        assert get("/v1/run")["is_paused"]
        await operator.until("its session", lambda old=known: not old & set(operator.channels))
        state = await operator.play(True)
        assert state[0] == "playing" and state[2] == 1.0, state
        await operator.until("the topic", lambda: "/rover/imu" in operator.topics())
        await operator.subscribe("/rover/imu")
        # Those of before may be on their way; by itself it is not there so soon.
        here = lambda at=to_s: any(at - 0.1 < ns / 1e9 < at + 2 for _, ns, _ in operator.messages)
        await operator.until(f"messages of {to_s} s", here, 3)
        await operator.play(False)
    assert any(did_seek for *_, did_seek, _ in operator.playback), operator.playback
    # It ends, says so to everybody, and can be begun again.
    await operator.play(True, 50.0)
    await operator.until("its end", lambda: operator.playback[-1][0] == "ended")
    await viewer.until("the end for others", lambda: viewer.playback and viewer.playback[-1][0] == "ended")
    await operator.play(True, 1.0, to_ns=0)
    await operator.until("its begin", lambda: get("/v1/run")["playback"]["at_s"] < 2)
    # Nobody below an operator plays it, and nobody tells its agents anything.
    await viewer.play(False)
    await viewer.refused("expected operator")
    assert ask("POST", "/v1/agents/rover/lease", OWNER, {"for_s": 5})[0] == 409
    assert ask("POST", "/v1/stop")[0] == 204
    await operator.until("a stop pauses it", lambda: get("/v1/run")["is_paused"])
    await operator.play(True, float("nan"))
    await operator.refused("found the speed")


async def watches():
    """Looks at everything until the run ends."""
    try:
        client = await connected(VIEWER)
        while True:
            await client.subscribe()
            await client.take(0.1)
    except websockets.ConnectionClosed:
        print(len(client.messages))


if case == "compared":
    compared()
else:
    cases = {f.__name__: f for f in [recorded, access, crowd, steers, run_and_reset, plays, watches]}
    takes = cases[case].__code__.co_argcount
    asyncio.run(cases[case](*arguments[:takes]))
