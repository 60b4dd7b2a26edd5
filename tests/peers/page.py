"""The page of a run in Chromium, as people use it.

Usage: page.py SCENARIO AXE [ADDRESS PROCESS]. AXE is axe-core's script, or `-`. Pictures are left in this folder.
"""

import asyncio
import json
import math
import os
import re
import signal
import socket
import sys
import time
import urllib.request

import websockets
from mcap.reader import make_reader

from browser import Between, open_page

TOKEN = os.environ.get("BECOMINGONE_TOKEN", "")
SIZES = {"desktop": (1280, 900, False), "phone": (390, 844, True), "small": (360, 740, True)}


def text(selector):
    return f"(document.querySelector('{selector}')?.textContent ?? '')"


ROW = "(document.querySelector('#agents tr')?.innerText ?? '')"
SPEED = "parseFloat(document.querySelector('#agents tr').cells[3].textContent)"
LIVE = f"{text('#link')} === 'live'"
# Times (ms) at which the page says that the stream is dead, at which the finger left the pad, and at which a view came
# with the rover at rest.
WATCH = """
window.deaths = [];
[window.lifted, window.rested] = [0, 0];
document.getElementById('pad').addEventListener('pointerup', (event) => { [lifted, rested] = [event.timeStamp, 0]; });
import('/stream.js').then(({stream}) => setInterval(() => {
  const speed = stream.view?.agents[0].velocity.linear_m_s;
  if (lifted > 0 && rested === 0 && stream.seen > lifted && Math.abs(speed) < 0.01) rested = performance.now();
}, 5));
new MutationObserver(() => { if (document.getElementById('link').className === 'dead') deaths.push(Date.now()); })
  .observe(document.getElementById('link'), {attributes: true});
null
"""


async def tell(page, path, body=None):
    """Asks the run, as the page is signed in."""
    told = "{method: 'POST'}" if body is None else f"{{method: 'POST', headers: {{'Content-Type': 'application/json'}}, body: {json.dumps(json.dumps(body))}}}"
    status = await page.js(f"fetch('{path}', {told}).then(answer => answer.status)")
    assert status < 300, (path, status)


async def all_looks(page, name, axe, whole=True):
    """Pictures of all sizes and colours, without a grave fault."""
    for size, (width, height, is_phone) in SIZES.items():
        for is_dark in (False, True):
            await page.size(width, height, is_phone, is_dark)
            look = f"{name}_{size}_{'dark' if is_dark else 'light'}"
            await page.picture(f"{look}.png", whole=whole)
            await page.faults(axe, look)
    await page.size(1280, 900, False, False)


async def opened(page, address):
    await page.call("Page.navigate", url=address)
    await page.until("live", LIVE)
    assert "code" not in await page.js("location.href")
    await page.until("the rover", f"{ROW}.includes('rover')")
    await page.js(WATCH)


async def lease(page):
    await page.until("a lease to take", f"{text('#lease')} === 'Take the lease'")
    await page.click("#lease")
    await page.until("the lease", f"{text('#lease-state')}.includes('is yours')")


async def reached(page, x, y):
    """The agent is at a goal, by the page's table."""
    await page.until("the goal", f"{text('#goal-state')}.startsWith('Reached')", within=40)
    at = await page.js("document.querySelector('#agents tr').cells[2].textContent.split(', ').map(Number)")
    # The planner's tolerance is 0.4 m.
    assert math.hypot(at[0] - x, at[1] - y) < 0.45, (at, x, y)


async def drives(address, process, axe):
    host = address.split("/")[2]
    between = Between(*host.split(":"))
    await between.start()
    async with open_page(f"MAP {host} 127.0.0.1:{between.port}") as page:
        await page.size(1280, 900, False, False)
        await opened(page, address)
        # The map has a picture, and it moves.
        pixels = "document.getElementById('map').toDataURL()"
        before = await page.js(pixels)
        await page.until("another map", f"{pixels} !== {json.dumps(before)}")
        await goals(page)
        # With a lease; axe-core may block the page for longer than its heartbeat, so that it may be over then.
        await all_looks(page, "drive", axe)
        if await page.js(text("#lease")) == "Release the lease":
            await page.click("#lease")
        await page.until("no lease", f"{text('#lease')} === 'Take the lease'")
        await refusals(page)
        await by_hand(page)
        await by_finger(page)
        await by_keys(page)
        await stop_within_a_tick(page, host)
        await dead_and_alive(page, process, between)
        page.said = [entry for entry in page.said if "ERR_" not in entry["text"]]
        await tell(page, "/v1/run/end")
    end = time.monotonic() + 10
    while os.path.exists(f"/proc/{process}/cmdline") and open(f"/proc/{process}/cmdline").read():
        assert time.monotonic() < end, "the run does not end"
        await asyncio.sleep(0.05)
    journal()


async def goals(page):
    assert await page.js("document.getElementById('go').disabled")
    assert "Take the lease" in await page.js(text("#goal-state"))
    await lease(page)
    await page.until("standstill", f"Math.abs({SPEED}) < 0.01")
    await tell(page, "/v1/run/pace", {"factor": 4})
    # Dragged.
    x, y, width, height = await page.middle("#map")
    await page.mouse("mousePressed", x, y)
    first = await page.js("[document.getElementById('goal-x').valueAsNumber, document.getElementById('goal-y').valueAsNumber]")
    for k in range(1, 6):
        await page.mouse("mouseMoved", x + 28 * k, y - 28 * k)
    assert "not sent" in await page.js(text("#goal-state"))
    await page.until("that it is held meanwhile", f"{ROW}.includes('request') && Math.abs({SPEED}) < 0.01")
    await page.mouse("mouseReleased", x + 140, y - 140)
    goal = await page.js("[document.getElementById('goal-x').valueAsNumber, document.getElementById('goal-y').valueAsNumber]")
    assert goal[0] > first[0] + 0.5 and goal[1] > first[1] + 0.3, (first, goal)
    await page.until("the distance left", f"/[0-9.]+ m left/.test({text('#goal-left')})")
    far = float((await page.js(text("#goal-left"))).split()[0])
    await page.until("a smaller one", f"parseFloat({text('#goal-left')}) < {far - 0.3}")
    await page.picture("goal.png")
    await reached(page, *goal)
    # It stays there, as long as there is a lease.
    await page.until("standstill at the goal", f"Math.abs({SPEED}) < 0.01 && {ROW}.includes('request')")
    # A place of the scene.
    await page.js("(() => { const p = document.getElementById('place'); p.value = 'dock'; p.dispatchEvent(new Event('change')); })()")
    await page.click("#go")
    await page.until("the way to the dock", f"{text('#goal-state')}.includes('On its way to dock')")
    await reached(page, 2.0, 1.0)
    await tell(page, "/v1/run/pace", {"factor": 1})


async def refusals(page):
    await page.until("its own controller", f"{ROW}.includes('controller')")
    choose = "(() => {{ const d = document.getElementById('driven'); d.value = '{}'; d.dispatchEvent(new Event('change')); }})()"
    await page.js(choose.format("turner"))
    await page.until("the run's refusal", f"{text('#goal-state')}.includes('No goals: found no controller that drives to places')")
    await lease(page)
    assert await page.js("document.getElementById('go').disabled && document.getElementById('place').disabled")
    await page.click("#lease")
    await page.until("its release", f"{text('#lease-state')}.includes('released')")
    await page.js(choose.format("rover"))
    await page.until("goals again", f"{text('#goal-state')} === 'Take the lease to set a goal.'")


async def rests_within(page, most):
    """The rover is at rest soon after the finger was lifted (s), by the views that the page gets."""
    await page.until("rest", "rested > 0", within=3)
    took = await page.js("(rested - lifted) / 1000")
    print(f"at rest {took:.2f} s after it was let go")
    assert took < most, took


async def by_hand(page):
    await lease(page)
    await page.until("standstill", f"Math.abs({SPEED}) < 0.01")
    await page.js("document.getElementById('pad').focus()")
    await page.key("ArrowUp", "down")
    await page.until("driven by the key", f"{ROW}.includes('request') && {SPEED} > 0.5")
    await page.key("ArrowUp", "up")
    await page.until("standstill when it is let go", f"{ROW}.includes('request') && Math.abs({SPEED}) < 0.01", within=2)


async def by_finger(page):
    await page.size(390, 844, True, True)
    x, y, width, height = await page.middle("#pad")
    for back in (1, -1):
        await page.js("lifted = 0")
        await page.touch("touchStart", (x, y))
        for k in range(1, 5):
            await page.touch("touchMove", (x, y - back * k * 0.04 * height))
        await page.until("driven by the finger", f"{back} * {SPEED} > 0.3")
        if back == 1:
            await page.picture("phone_pad.png")
        await page.touch("touchEnd")
        await rests_within(page, 0.5)
    # A finger on the map sets a goal, and does not scroll the page.
    x, y, *_ = await page.middle("#map")
    top = await page.js("scrollY")
    await page.touch("touchStart", (x, y))
    for k in range(1, 9):
        await page.touch("touchMove", (x - 3 * k, y + 6 * k))
    await page.touch("touchEnd")
    await page.until("a goal by the finger", f"{text('#goal-state')}.includes('On its way')")
    assert await page.js("scrollY") == top
    await page.size(1280, 900, False, False)


async def to(page, name):
    """Goes to an element by the tabulator."""
    for _ in range(80):
        await page.key("Tab")
        if await page.js("document.activeElement.id") == name:
            return
    raise AssertionError(f"the tabulator does not lead to {name}")


async def by_keys(page):
    await to(page, "lease")
    await page.key("Enter")
    await page.until("its release", f"{text('#lease-state')}.includes('released')")
    await page.key("Enter")
    await page.until("the lease", f"{text('#lease-state')}.includes('is yours')")
    await page.until("standstill", f"Math.abs({SPEED}) < 0.01")
    await to(page, "map")
    at = await page.js("document.querySelector('#agents tr').cells[2].textContent.split(', ').map(Number)")
    for key in ["ArrowLeft"] * 3 + ["ArrowUp"] * 2:
        await page.key(key)
    await page.key("ArrowLeft", modifiers=8)
    goal = await page.js("[document.getElementById('goal-x').valueAsNumber, document.getElementById('goal-y').valueAsNumber]")
    assert abs(goal[0] - at[0] + 1.3) < 0.11 and abs(goal[1] - at[1] - 0.2) < 0.11, (at, goal)
    await page.key("Escape")
    assert await page.js("Number.isNaN(document.getElementById('goal-x').valueAsNumber)")
    for _ in range(2):
        await page.key("ArrowLeft", modifiers=8)
    await page.key("Enter")
    await page.until("a goal by the keys", f"{text('#goal-state')}.includes('On its way')")
    goal = await page.js("[document.getElementById('goal-x').valueAsNumber, document.getElementById('goal-y').valueAsNumber]")
    await tell(page, "/v1/run/pace", {"factor": 4})
    await reached(page, *goal)
    await tell(page, "/v1/run/pace", {"factor": 1})
    await to(page, "stop")
    await page.key("Enter")
    await page.until("stopped by the key", f"{text('#stop-state')} === 'stopped' && {ROW}.includes('stopped')", within=2)
    await clear(page)


async def clear(page):
    """Clears the stop of the rover, and of the other agent."""
    await page.until("both stopped", "document.getElementById('agents').innerText.match(/stopped by api/g)?.length === 2")
    for k in range(2):
        await page.js(f"document.querySelectorAll('#agents tr')[{k}].cells[5].lastChild.click()")
    await page.until("the end of the stop", f"!document.getElementById('agents').innerText.includes('stopped') && {text('#stop-state')} === ''")


ARRIVED = {}


async def stop_within_a_tick(page, host):
    """Of a run whose ticks take 0.25 s: the tick that was done when the request came, and the one when it was answered."""
    await tell(page, "/v1/run/pace", {"factor": 0.004})
    headers = {"Authorization": f"Bearer {TOKEN}"}
    done = [0]

    async def follow():
        async with websockets.connect(f"ws://{host}/v1/stream", additional_headers=headers) as views:
            await views.send(json.dumps({"type": "subscribe", "rate_hz": 200}))
            async for message in views:
                message = json.loads(message)
                if message["type"] == "view":
                    done[0] = message["tick"]

    following = asyncio.create_task(follow())
    first = done[0]
    while done[0] <= first + 1:
        await asyncio.sleep(0.001)
    ARRIVED["before"] = done[0]
    await page.click("#stop")
    await page.until("stopped", f"{text('#stop-state')} === 'stopped'", within=5)
    ARRIVED["after"] = done[0]
    following.cancel()
    await tell(page, "/v1/run/pace", {"factor": 1})
    await page.picture("stopped.png")
    await clear(page)


def journal():
    """The last stop but those of a dead stream entered within a tick of its arrival, and its event is of that tick."""
    entered, events = [], []
    with open("run.mcap", "rb") as file:
        for _, channel, message in make_reader(file).iter_messages(topics=["/journal/entered", "/journal/events"]):
            content = json.loads(message.data)
            if channel.topic == "/journal/events" and content["what"] == "RequestedStop":
                events.append(content["tick"])
            elif channel.topic == "/journal/entered" and content["frame"]["payload"].get("Request", {}).get("what") == "Stop":
                entered.append(content["tick"])
    ticks = [tick for tick in entered if tick > ARRIVED["before"]]
    print("requested after tick", ARRIVED["before"], "and answered after tick", ARRIVED["after"], "; entered in", ticks[:1])
    assert ARRIVED["before"] < ticks[0] <= ARRIVED["after"] + 1, (ARRIVED, ticks)
    assert ticks[0] in events, (ticks, events)
    assert ARRIVED["after"] - ARRIVED["before"] <= 1, ARRIVED


async def says_dead(page, act, what):
    """The page says within a second that its stream is dead."""
    await page.until("live", LIVE, within=20)
    await page.js("deaths.length = 0")
    begun = time.time()
    act()
    await page.until(what, "deaths.length > 0", within=3)
    took = await page.js("deaths[0]") / 1000 - begun
    print(f"{what}: said after {took:.2f} s")
    assert took < 1.0, (what, took)


async def heals(page, what, within=15):
    begun = time.monotonic()
    await page.until(f"live again after {what}", LIVE, within=within)
    print(f"{what}: live again after {time.monotonic() - begun:.2f} s")


async def dead_and_alive(page, process, between):
    # The process hangs, with a stop on its way.
    await says_dead(page, lambda: os.kill(process, signal.SIGSTOP), "a process that hangs")
    await page.click("#stop")
    await page.until("no confirmation", f"{text('#stop-state')} === 'NOT CONFIRMED: use the hardware stop'", within=2)
    assert "use the hardware stop" in await page.js(text("#stop-said"))
    await page.picture("not_confirmed.png")
    os.kill(process, signal.SIGCONT)
    await page.until("a stop that was asked for again", f"{text('#stop-state')} === 'stopped'", within=5)
    await heals(page, "a process that hangs")
    await clear(page)

    # Connections are cut, and new ones refused for a while.
    def cut():
        between.mode = "refuse"
        between.cut()

    await says_dead(page, cut, "connections that are cut")
    await asyncio.sleep(2)
    between.mode = "pass"
    await heals(page, "connections that are cut")

    # The stream alone hangs: the stop does not need it.
    def hang():
        between.mode, between.only_streams = "hang", True

    await says_dead(page, hang, "a stream that hangs")
    await page.click("#stop")
    await page.until("a stop without a stream", f"{text('#stop-state')} === 'stopped'", within=1)
    between.mode = "pass"
    await heals(page, "a stream that hangs")
    await clear(page)

    # Everything hangs, while the pad is held: no request of the page is in the way of the stop.
    if await page.js(text("#lease")) == "Take the lease":
        await lease(page)
    await page.js("document.getElementById('pad').focus()")
    await page.key("ArrowLeft", "down")
    await page.until("a turn", f"{ROW}.includes('request')")

    def all_hang():
        between.mode, between.only_streams = "hang", False

    await says_dead(page, all_hang, "connections that hang")
    for _ in range(8):
        await page.js("document.getElementById('pause').click()")
    await page.click("#stop")
    await page.until("no confirmation", f"{text('#stop-state')} === 'NOT CONFIRMED: use the hardware stop'", within=2)
    await asyncio.sleep(1)
    between.freeze()
    await page.until("a stop at last", f"{text('#stop-state')} === 'stopped'", within=5)
    await page.key("ArrowLeft", "up")
    await heals(page, "connections that hang")


async def kernel(address, process, axe):
    """An alarm of the kernel, a sensor with a link, a view in 3D."""
    async with open_page() as page:
        await page.size(1280, 900, False, False)
        await opened(page, address)
        assert await page.js(text("#kernel-alarm")) == ""
        # A link without readings, then with, then stale.
        line = "(document.querySelector('#links tr')?.innerText ?? '')"
        await page.until("the link", f"{line}.includes('tank/meter') && /stale/.test({line})")
        out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        port = int(os.environ["UDP_PORT"])

        async def send():
            for k in range(10**9):
                out.sendto(json.dumps({"sensor": "tank/meter", "sequence": k, "values": [k * 0.5]}).encode(), ("127.0.0.1", port))
                await asyncio.sleep(0.02)

        sending = asyncio.create_task(send())
        await page.until("readings", f"{line}.includes('up') && !/stale/.test({line}) && Number(document.querySelector('#links tr').cells[2].textContent) > 5")
        assert await page.js("document.getElementById('simulated-list').open") is False
        await page.js("document.querySelector('#simulated-list summary').click()")
        await page.until("simulated sensors", "document.querySelectorAll('#simulated tr').length === 4")
        await page.until("the alarm", f"{text('#kernel-alarm')}.includes('encoders/0')", within=40)
        await page.until("its figures", f"{text('#k-sync')}.includes('dissipated') && {text('#k-cause')} === 'encoders/0' && Number({text('#k-surprise')}) > 1")
        bar = await page.js("[document.getElementById('bar').className, document.getElementById('bar').getAttribute('aria-valuetext'), document.getElementById('bar-mark').getBoundingClientRect().width]")
        assert bar[0] == "over" and "alarm above 1" in bar[1] and bar[2] > 0, bar
        await page.until("the curves in words", "/surprise [0-9.]+ to [0-9.]+, now [0-9.]+; order/.test(document.getElementById('spark').getAttribute('aria-label'))")
        sending.cancel()
        await page.until("a stale link", f"/stale/.test({line})")
        await tell(page, "/v1/run/pause")
        await all_looks(page, "kernel", axe)
        link = await page.js("document.querySelector('#viewer a')?.href ?? null")
        if link is None:
            print("no rerun beside the run: its command is shown")
            assert "rerun rerun+http" in await page.js(text("#viewer"))
        else:
            assert re.match(r"http://127\.0\.0\.1:\d+/\?url=rerun%2Bhttp", link), link
            assert b"Rerun" in urllib.request.urlopen(link).read()
            # It ends with the run, also where that is killed.
            os.kill(process, signal.SIGKILL)
            end = time.monotonic() + 10
            port = int(re.search(r":(\d+)/", link)[1])
            while socket.socket().connect_ex(("127.0.0.1", port)) == 0:
                assert time.monotonic() < end, "the web viewer goes on without its run"
                await asyncio.sleep(0.05)


async def runs(address, axe):
    """The list of runs and scenes of `becomingone serve`."""
    rows = "[...document.querySelectorAll('#{0} tr')]"
    count = lambda kind: f"{rows.format(kind)}.length"
    row = lambda kind, name: f"{rows.format(kind)}.find(row => row.innerText.includes('{name}'))"
    base = address.split("#")[0]
    async with open_page() as page:
        await page.size(1280, 900, False, False)
        await page.call("Page.navigate", url=address)
        await page.until("scenes, and no run", f"{count('scenes')} > 10 && {count('runs')} === 0")
        assert await page.js("document.getElementById('run').hidden")
        await page.js(f"{row('scenes', 's.ron')}.querySelector('button').click()")
        await page.until("the page of the run that was started", "location.search === '?run=s' && document.getElementById('run')?.hidden === false")
        await page.until("its agent", f"{ROW}.includes('rover')")
        assert await page.js("document.getElementById('all-runs').hidden") is False
        # It is the only one: it is shown by itself.
        await page.call("Page.navigate", url=base)
        await page.until("the one run", f"document.getElementById('run')?.hidden === false && {ROW}.includes('rover')")
        # Of two, there is the list.
        second = "{method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify({scene: 'arm_wave'})}"
        await page.js(f"fetch('/v1/runs', {second})")
        await page.call("Page.navigate", url=base + "?")
        await page.until("both", f"{count('runs')} === 2 && document.getElementById('run').hidden", within=40)
        await page.until("the second one", f"{row('runs', 'arm_wave')}.innerText.includes('running')", within=40)
        assert await page.js(f"{row('runs', 'arm_wave')}.querySelector('a').getAttribute('href')") == "?run=arm_wave"
        await all_looks(page, "runs", axe)
        await page.click("#stop")
        await page.until("a stop of all runs", f"{text('#stop-state')} === 'stopped'", within=2)
        await page.js(f"{row('runs', 'arm_wave')}.querySelector('button').click()")
        await page.until("its end", f"{row('runs', 'arm_wave')}.innerText.includes('ended')", within=40)
        assert await page.js(f"{row('runs', 'arm_wave')}.querySelector('a')?.getAttribute('href') ?? null") is None
        await page.call("Page.navigate", url=base)
        await page.until("the one that is left, stopped", f"{ROW}.includes('stopped')", within=40)


async def talks(address, axe):
    """The assistant beside a run."""
    async def say(sentence):
        await page.click("#sentence")
        await page.call("Input.insertText", text=sentence)
        await page.key("Enter")
        await page.until("the field is free", "document.getElementById('sentence').value === ''")

    async with open_page() as page:
        await page.size(1280, 900, False, False)
        await opened(page, address)
        await page.until("the assistant", "!document.getElementById('talk').hidden")
        await say("where is the rover")
        await page.until("a place", f"{text('#said')}.includes('rover is at x')")
        await say("rover, drive forward 0.5 m")
        await page.until("a question", f"{text('#said')}.includes('[yes/no]')")
        await say("yes")
        await page.until("a receipt", f"{text('#said')}.includes('it moves [tick')")
        await say("<img src=x onerror=alert(1)>")
        await page.until("a refusal", f"{text('#said')}.includes('I do not understand that')")
        await say("stop")
        await page.until("a stop", f"{text('#said')}.includes('rover is stopped') && document.getElementById('agents').innerText.includes('stopped by')")
        assert await page.js("document.querySelector('#said img')") is None
        assert await page.js("document.querySelectorAll('#said .own').length") == 5
        await all_looks(page, "talk", axe)
        # What was said is there for a page that is opened later.
        await page.call("Page.reload")
        await page.until("the talk again", "document.querySelectorAll('#said .own').length === 5")


scenario, axe, *rest = sys.argv[1:]
axe = None if axe == "-" else open(axe).read()
if len(rest) == 1:
    asyncio.run({"runs": runs, "talks": talks}[scenario](rest[0], axe))
else:
    asyncio.run({"drives": drives, "kernel": kernel}[scenario](rest[0], int(rest[1]), axe))
