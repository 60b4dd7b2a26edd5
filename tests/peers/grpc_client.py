"""A client of gRPC that knows nothing but the address: messages and operations are found by reflection.

    grpc_client.py HOST OWNER OPERATOR VIEWER [RUN]

Prints what failed and ends with 1, or `ok`.
"""

import math
import sys
import threading
import time

import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

host, owner, operator, viewer, *rest = sys.argv[1:]
run = rest[0] if rest else ""

channel = grpc.insecure_channel(host)
health = health_pb2_grpc.HealthStub(channel)


def bearer(token):
    return [("authorization", f"Bearer {token}")]


class WithToken(grpc.UnaryUnaryClientInterceptor, grpc.StreamStreamClientInterceptor):
    """Reflection needs a token, as everything else."""

    def intercept_stream_stream(self, continuation, details, requests):
        return continuation(details._replace(metadata=bearer(viewer)), requests)

    def intercept_unary_unary(self, continuation, details, request):
        return continuation(details._replace(metadata=bearer(viewer)), request)


database = ProtoReflectionDescriptorDatabase(grpc.intercept_channel(channel, WithToken()))
assert "becomingone.v1.Engine" in database.get_services(), database.get_services()
pool = descriptor_pool.DescriptorPool(database)
service = pool.FindServiceByName("becomingone.v1.Engine")
comments = database.FindFileContainingSymbol("becomingone.v1.Engine").source_code_info.location
assert any("Stops every agent" in place.leading_comments for place in comments), "comments"


def message(descriptor, **fields):
    return message_factory.GetMessageClass(descriptor)(**fields)


def stub(name):
    method = service.methods_by_name[name]
    kind = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, True): channel.stream_stream,
    }[(method.client_streaming, method.server_streaming)]
    call = kind(
        f"/{service.full_name}/{name}",
        request_serializer=lambda m: m.SerializeToString(),
        response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
    )
    return method, call


def call(name, token=owner, **fields):
    method, ask = stub(name)
    if "run" in method.input_type.fields_by_name:
        fields.setdefault("run", run)
    return ask(message(method.input_type, **fields), metadata=bearer(token), timeout=10)


def refused(code, text, name, **fields):
    try:
        answer = call(name, **fields)
    except grpc.RpcError as error:
        assert error.code() == code, (name, error.code(), error.details())
        assert text in error.details(), (name, error.details())
        return
    raise AssertionError(f"{name} was not refused: {answer}")


assert health.Check(health_pb2.HealthCheckRequest(service="becomingone.v1.Engine")).status == 1

# What there is.
version = call("GetVersion", viewer)
assert version.name == "becomingone" and version.api == "v1", version
state = call("GetRun", viewer)
assert state.tick > 0 and len(state.state_hash) == 16, state
agents = call("ListAgents", viewer)
assert [a.agent for a in agents.agents] == ["rover"] and agents.agents[0].HasField("pose"), agents
rover = call("GetAgent", viewer, agent="rover")
assert rover.mode == "controller" and rover.tick >= agents.tick and not rover.HasField("stopped_by")
assert [p.name for p in call("ListPlaces", viewer).places] == ["dock"]
kinds = call("ListSensors", viewer).sensors
assert {k.sensor for k in kinds} == {"rover/encoders", "rover/imu", "rover/lidar"}, kinds
imu = call("GetSensor", viewer, agent="rover", sensor="imu")
assert len(imu.values) == len(imu.fields) == len(imu.units), imu
assert all(math.isfinite(x) for x in imu.values) and not imu.HasField("link"), imu
lidar = call("GetSensor", viewer, agent="rover", sensor="lidar")
assert len(lidar.values) == 36, lidar
readings = call("ListReadings", viewer, sensors="rover/i*,rover/lidar")
assert [s.sensor for s in readings.sensors] == ["rover/imu", "rover/lidar"] and readings.tick > 0, readings
assert len(call("ListReadings", viewer).sensors) == 3
events = call("ListEvents", viewer, most=5)
assert len(events.events) <= 5, events

# Who may what.
refused(grpc.StatusCode.UNAUTHENTICATED, "token", "GetRun", token=owner[:-1] + "x")
refused(grpc.StatusCode.PERMISSION_DENIED, "expected operator", "Pause", token=viewer)
refused(grpc.StatusCode.NOT_FOUND, "rover", "GetAgent", agent="crane")
refused(grpc.StatusCode.INVALID_ARGUMENT, "agent", "GetAgent")
refused(grpc.StatusCode.INVALID_ARGUMENT, "no kind", "Command", agent="rover")
drive = {"drive": {"linear_m_s": 0.2}, "for_s": 1.0}
refused(grpc.StatusCode.PERMISSION_DENIED, "lease", "Command", agent="rover", lease="x", **drive)
refused(grpc.StatusCode.PERMISSION_DENIED, "owner", "GrantLease", token=operator, agent="rover", for_s=9)
lease = call("GrantLease", agent="rover", for_s=60, heartbeat_s=30, max_linear_m_s=0.3).id
assert [l.max_linear_m_s for l in call("ListLeases", viewer).leases] == [0.3]
accepted = call("Command", operator, agent="rover", lease=lease, **drive)
assert accepted.tick > state.tick and accepted.expires_s > 0, accepted
refused(
    grpc.StatusCode.PERMISSION_DENIED,
    "at most 0.3",
    "Command",
    token=operator,
    agent="rover",
    lease=lease,
    drive={"linear_m_s": 0.5},
)
call("Heartbeat", operator, agent="rover", lease=lease)
numbers = {p.name: p.value for p in call("ListParameters", viewer, agent="rover").parameters}
assert numbers["controller.speed_m_s"] == 0.4, numbers
assert not call("ListFaults", viewer, agent="rover").faults

# The same key again does nothing.
key = {"idempotency_key": "once", "agent": "rover", "lease": lease, **drive}
first = call("Command", operator, **key)
time.sleep(0.1)
assert call("Command", operator, **key) == first

# A stream of commands is answered in its order, and goes on after one that is refused.
method, ask = stub("Drive")


def commands():
    for speed in (0.1, 9.0, 0.2):
        yield message(
            method.input_type, run=run, agent="rover", lease=lease, drive={"linear_m_s": speed}
        )


answers = list(ask(commands(), metadata=bearer(operator), timeout=10))
assert [a.WhichOneof("answer") for a in answers] == ["accepted", "problem", "accepted"], answers
assert answers[1].problem.status == 403 and "at most 0.3" in answers[1].problem.detail

# Views at a rate, and events as they come.
method, ask = stub("Watch")
watched = ask(
    message(method.input_type, run=run, sensors=["rover/imu"], rate_hz=50),
    metadata=bearer(viewer),
)
views, seen_events = [], []
stopper = threading.Timer(0.5, lambda: call("Stop", viewer, agent="rover"))
stopper.start()
begun = time.monotonic()
for update in watched:
    kind = update.WhichOneof("update")
    if kind == "view":
        views.append(update.view)
    elif kind == "events":
        seen_events += [e.text for e in update.events.events]
    if time.monotonic() - begun > 2:
        watched.cancel()
        break
assert 60 <= len(views) <= 130, len(views)
assert [v.number for v in views] == sorted(v.number for v in views)
assert all([s.sensor for s in v.sensors] == ["rover/imu"] for v in views), views[0]
assert any("stop" in text for text in seen_events), seen_events
assert views[-1].agents[0].mode == "stopped" and views[-1].agents[0].stopped_by == "api", views[-1]

# A stop latches.
refused(
    grpc.StatusCode.FAILED_PRECONDITION,
    "stop",
    "Command",
    token=operator,
    agent="rover",
    lease=lease,
    **drive,
)
refused(grpc.StatusCode.PERMISSION_DENIED, "owner", "ClearStop", token=operator, agent="rover")
call("ClearStop", agent="rover")
call("ReleaseLease", operator, agent="rover", lease=lease)

# Numbers and faults.
lease = call("GrantLease", agent="rover", for_s=60, heartbeat_s=30).id
told = {"token": operator, "agent": "rover", "lease": lease}
call("Command", **told, set={"parameter": "controller.speed_m_s", "value": 0.25})
call("Command", **told, fault={"target": "imu/gyro_z", "fault": "Bias(0.1)"}, for_s=30)
time.sleep(0.2)
numbers = {p.name: p.value for p in call("ListParameters", viewer, agent="rover").parameters}
assert numbers["controller.speed_m_s"] == 0.25, numbers
(fault,) = call("ListFaults", viewer, agent="rover").faults
assert fault.target == "imu/gyro_z" and fault.is_active and fault.is_requested, fault
assert abs(fault.until_s - fault.from_s - 30) < 1e-6, fault
call("Command", **told, end_faults={})
refused(grpc.StatusCode.INVALID_ARGUMENT, "did you mean", "Command", **told, fault={"target": "imu", "fault": "Freezed"})
call("ReleaseLease", operator, agent="rover", lease=lease)

# The run as a whole.
call("Pause", operator)
time.sleep(0.1)
paused = call("GetRun", viewer)
assert paused.is_paused
call("Step", operator, ticks=5)
time.sleep(0.1)
assert call("GetRun", viewer).tick == paused.tick + 5
call("SetPace", operator, factor=2.0)
call("Resume", operator)
call("SetPace", operator)
call("StopAll", viewer)
print("ok")
