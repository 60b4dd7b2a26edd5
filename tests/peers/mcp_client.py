"""A client of the Model Context Protocol by PyPI `mcp`, in both of its modes.

    mcp_client.py http HOST OWNER VIEWER
    mcp_client.py stdio PROGRAM ARGUMENT..     (a server that attaches to a run of the scene of tests/tests/api.rs)
    mcp_client.py host PROGRAM ARGUMENT..      (a server that starts runs itself)

Prints what failed and ends with 1, or `ok`.
"""

import asyncio
import base64
import json
import os
import sys

import httpx2
import mcp_types as types
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

TOOLS = {
    "status", "diagnose", "history", "explain_event", "recall", "read_sensor", "list_scenes", "list_runs", "run_scene",
    "end_run", "score", "record", "pause", "step", "set", "reset", "lease", "drive", "move", "go_to", "stop",
    "clear_stop", "fault", "picture", "watch", "watches", "unwatch",
}  # fmt: skip


class Person:
    """Answers what the client is asked to show."""

    def __init__(self, action):
        self.action, self.asked = action, []

    async def __call__(self, context, params):
        self.asked.append(params.message)
        content = {} if self.action == "accept" else None
        return types.ElicitResult(action=self.action, content=content)


def text(result):
    return "\n".join(block.text for block in result.content)


async def ask(client, tool, **arguments):
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, (tool, text(result))
    return result


async def refused(client, expected, tool, **arguments):
    result = await client.call_tool(tool, arguments)
    assert result.is_error and expected in text(result), (tool, text(result))


async def reads(client):
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(tools) == TOOLS, set(tools) ^ TOOLS
    assert tools["status"].annotations.read_only_hint and not tools["status"].annotations.destructive_hint
    assert tools["stop"].annotations.destructive_hint and tools["stop"].annotations.idempotent_hint
    for tool in tools.values():
        assert tool.description and tool.input_schema["type"] == "object", tool
    status = await ask(client, "status")
    assert "tick" in text(status) and " m/s" in text(status) and " rad" in text(status), text(status)
    assert status.structured_content["run"]["tick"] > 0
    assert "rover" in text(await ask(client, "diagnose"))
    reading = text(await ask(client, "read_sensor", sensor="imu"))
    assert "rad/s" in reading and "m/s2" in reading, reading
    assert "rover/imu" in text(await ask(client, "read_sensor"))
    await ask(client, "history", most=5)
    watch = await ask(client, "watch", agent="rover", what="surprise", how="rises", key="mcp")
    assert watch.structured_content["value"] == 1 and "surprise of rover, rises 1" in text(watch), text(watch)
    identifier = watch.structured_content["id"]
    assert identifier in text(await ask(client, "watches"))
    await refused(client, "did you mean `imu`", "watch", agent="rover", what="sensor", sensor="imo", how="silent")
    await ask(client, "unwatch", id=identifier)
    await refused(client, "found no watch", "unwatch", id=identifier)
    assert isinstance((await ask(client, "recall")).structured_content["memories"], list)
    await refused(client, "expected one of", "read_sensor", agent="rover", sensor="nose")
    await refused(client, "does not have", "status", nonsense=1)
    resources = (await client.list_resources()).resources
    assert any(r.uri == "becomingone://agents" for r in resources), resources
    agents = (await client.read_resource("becomingone://agents")).contents[0]
    assert json.loads(agents.text)["agents"][0]["agent"] == "rover"
    (picture,) = (await ask(client, "picture", agent="rover", pitch_rad=1.5)).content
    assert picture.mime_type == "image/png" and base64.b64decode(picture.data).startswith(b"\x89PNG"), picture
    await refused(client, "expected one of `rover`", "picture", agent="rovr")
    picture = (await client.read_resource("becomingone://picture")).contents[0]
    assert picture.mime_type == "image/png" and base64.b64decode(picture.blob).startswith(b"\x89PNG"), picture
    guide = (await client.read_resource("becomingone://guide/api")).contents[0]
    assert "becomingone" in guide.text
    assert (await client.list_resource_templates()).resource_templates
    prompts = (await client.list_prompts()).prompts
    assert "what_is_wrong" in {p.name for p in prompts}
    prompt = await client.get_prompt("what_is_wrong")
    assert "diagnose" in prompt.messages[0].content.text


async def moves(client, person):
    """What a person has to approve, and what nobody has to."""
    await refused(client, "Lease", "drive", agent="rover", linear_m_s=0.1)
    person.action = "decline"
    await refused(client, "declined", "lease", agent="rover")
    person.action = "accept"
    granted = await ask(client, "lease", agent="rover", for_s=30, max_linear_m_s=0.3)
    lease = granted.structured_content["id"]
    assert "30 s" in person.asked[-1] and "0.3 m/s" in person.asked[-1], person.asked
    accepted = await ask(client, "drive", agent="rover", linear_m_s=0.2, for_s=1, lease=lease)
    assert "tick" in text(accepted), text(accepted)
    await refused(client, "at most 0.3", "drive", agent="rover", linear_m_s=0.9, lease=lease)
    await ask(client, "stop")
    for _ in range(20):
        if "STOPPED" in text(await ask(client, "status")):
            break
        await asyncio.sleep(0.1)
    else:
        raise AssertionError("it is not stopped")
    await refused(client, "stop", "drive", agent="rover", linear_m_s=0.1, lease=lease)
    events = (await ask(client, "history", most=1000)).structured_content["events"]
    stop = next(e for e in events if "stop" in e["text"])
    assert "stop" in text(await ask(client, "explain_event", number=stop["number"]))
    person.action = "decline"
    await refused(client, "declined", "clear_stop", agent="rover")
    person.action = "accept"
    await ask(client, "clear_stop", agent="rover")
    assert "Clear the stop of `rover`" in person.asked[-1]
    await ask(client, "lease", agent="rover", release=True)
    granted = await ask(client, "lease", agent="rover", for_s=30)
    of_it = {"agent": "rover", "lease": granted.structured_content["id"]}
    await ask(client, "set", **of_it, parameter="controller.speed_m_s", value=0.3)
    await refused(client, "did you mean", "set", **of_it, parameter="controller.speed", value=1)
    await refused(client, "not both", "set", rate=1, parameter="controller.speed_m_s", value=1)
    await ask(client, "fault", **of_it, target="imu/gyro_z", fault="Bias(0.2)", for_s=20)
    await refused(client, "did you mean", "fault", **of_it, target="imu", fault="Freezed")
    await ask(client, "fault", **of_it, end=True)
    await ask(client, "lease", agent="rover", release=True)


async def runs(client):
    assert "arm_wave" in text(await ask(client, "list_scenes"))
    started = await ask(client, "run_scene", scene="arm_wave", rate=0, duration_s=0.5, seed=3)
    run = started.structured_content["run"]
    for _ in range(100):
        states = (await ask(client, "list_runs")).structured_content["runs"]
        if next(r for r in states if r["run"] == run)["state"] == "ended":
            break
        await asyncio.sleep(0.1)
    recording = started.structured_content["recording"]
    assert recording in text(await ask(client, "record"))
    verified = await ask(client, "record", recording=recording, action="verify")
    assert verified.structured_content["is_equal"], text(verified)
    await refused(client, "found no scene", "run_scene", scene="../../etc/passwd")
    resolved = await client.read_resource("becomingone://scenes/arm_wave/resolved")
    assert "version" in resolved.contents[0].text


async def over_http(mode, host, token, person):
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=headers) as http:
        transport = streamable_http_client(f"http://{host}/mcp", http_client=http)
        async with Client(transport, mode=mode, elicitation_callback=person) as client:
            await reads(client)
            if person is not None and person.action == "accept":
                await moves(client, person)
            elif person is None:
                await refused(client, "cannot ask a person", "lease", agent="rover")
            else:
                await refused(client, "expected operator", "pause")


async def over_stdio(mode, program, arguments, host):
    person = Person("accept")
    server = StdioServerParameters(command=program, args=arguments, env=dict(os.environ))
    async with Client(server, mode=mode, elicitation_callback=person) as client:
        if host:
            await runs(client)
        else:
            await reads(client)
            await moves(client, person)


async def main(kind, *rest):
    for mode in ("auto", "legacy"):
        if kind == "http":
            host, owner, viewer = rest
            await over_http(mode, host, owner, Person("accept"))
            await over_http(mode, host, owner, None)
            await over_http(mode, host, viewer, Person("decline"))
            refusal = httpx2.post(f"http://{host}/mcp", json={})
            assert refusal.status_code == 401, refusal
        else:
            program, *arguments = rest
            await over_stdio(mode, program, arguments, kind == "host")
    print("ok")


asyncio.run(main(*sys.argv[1:]))
