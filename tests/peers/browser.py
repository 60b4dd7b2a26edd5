"""Chromium by its debugging protocol, and what stands between it and a server: connections that are cut, or hang."""

import asyncio
import base64
import contextlib
import json
import subprocess
import tempfile
import time
import urllib.request

import websockets

KEYS = {"ArrowUp": 38, "ArrowDown": 40, "ArrowLeft": 37, "ArrowRight": 39, "Enter": 13, "Escape": 27, "Tab": 9, " ": 32}


class Between:
    """Passes connections on. `mode`: `pass`; `hang`: nothing goes on, new ones are taken; `refuse`: new ones are closed."""

    def __init__(self, host, port):
        self.target, self.mode, self.pairs = (host, port), "pass", set()
        # Of the stream alone.
        self.only_streams = False
        # Connections so far, and those of them that hang for good.
        self.count, self.frozen = 0, 0

    async def start(self):
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self.server = server

    def cut(self):
        """Ends all connections at once."""
        for one in list(self.pairs):
            one.transport.abort()

    def freeze(self):
        """All connections so far hang for good; new ones pass."""
        self.mode, self.frozen = "pass", self.count

    def holds(self, number, is_stream):
        return number <= self.frozen or self.mode == "hang" and (is_stream or not self.only_streams)

    async def serve(self, reader, writer):
        if self.mode == "refuse":
            writer.transport.abort()
            return
        try:
            there, out = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        self.pairs |= {writer, out}
        self.count += 1
        number = self.count
        state = {"stream": False}

        async def copy(source, sink, is_request):
            with contextlib.suppress(OSError):
                while data := await source.read(65536):
                    if is_request and b"/stream" in data.split(b"\r\n", 1)[0]:
                        state["stream"] = True
                    while self.holds(number, state["stream"]):
                        await asyncio.sleep(0.02)
                    sink.write(data)
                    await sink.drain()
            sink.transport.abort()

        await asyncio.gather(copy(reader, out, True), copy(there, writer, False), return_exceptions=True)
        self.pairs -= {writer, out}


class Page:
    def __init__(self, socket):
        self.socket, self.count, self.thrown, self.said = socket, 0, [], []
        self.waiting = {}

    async def listen(self):
        async for text in self.socket:
            message = json.loads(text)
            if message.get("method") == "Runtime.exceptionThrown":
                self.thrown.append(message["params"])
            if message.get("method") == "Log.entryAdded":
                self.said.append(message["params"]["entry"])
            if message.get("id") in self.waiting:
                self.waiting.pop(message["id"]).set_result(message.get("result", message))

    async def call(self, method, **parameters):
        self.count += 1
        done = self.waiting[self.count] = asyncio.get_running_loop().create_future()
        await self.socket.send(json.dumps({"id": self.count, "method": method, "params": parameters}))
        return await asyncio.wait_for(done, 30)

    async def js(self, expression):
        result = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, (expression, result["exceptionDetails"])
        return result["result"].get("value")

    async def until(self, what, expression, within=15):
        end = time.monotonic() + within
        while not await self.js(expression):
            if time.monotonic() > end:
                await self.picture("failed.png")
                raise AssertionError((what, await self.js("document.body.innerText"), self.thrown))
            await asyncio.sleep(0.05)

    async def picture(self, name, whole=False):
        if whole:
            await self.js("scrollTo(0, 0)")
        shot = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        with open(name, "wb") as file:
            file.write(base64.b64decode(shot["data"]))

    async def size(self, width, height, is_phone, is_dark):
        await self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2 if is_phone else 1, mobile=is_phone)
        await self.call("Emulation.setTouchEmulationEnabled", enabled=is_phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])
        await asyncio.sleep(0.4)
        assert await self.js("document.documentElement.scrollWidth") <= width, (width, await self.js(
            f"[...document.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > {width + 1}).map(e => e.outerHTML.slice(0, 90))"))

    async def key(self, key, kind="press", modifiers=0):
        told = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key], "modifiers": modifiers}
        if key == "Enter":
            told["text"] = "\r"
        if kind in ("press", "down"):
            await self.call("Input.dispatchKeyEvent", type="keyDown" if "text" in told else "rawKeyDown", **told)
        if kind in ("press", "up"):
            told.pop("text", None)
            await self.call("Input.dispatchKeyEvent", type="keyUp", **told)

    async def mouse(self, kind, x, y):
        await self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=int(kind != "mouseReleased"), clickCount=1)

    async def touch(self, kind, *points):
        await self.call("Input.dispatchTouchEvent", type=kind, touchPoints=[{"x": x, "y": y} for x, y in points])

    async def middle(self, selector):
        await self.js(f"document.querySelector('{selector}').scrollIntoView({{block: 'center'}})")
        await asyncio.sleep(0.1)
        return await self.js(f"(() => {{ const b = document.querySelector('{selector}').getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2, b.width, b.height]; }})()")

    async def click(self, selector):
        x, y, *_ = await self.middle(selector)
        await self.mouse("mousePressed", x, y)
        await self.mouse("mouseReleased", x, y)

    async def faults(self, axe, what):
        """Runs axe-core: no serious or critical fault."""
        if axe is None:
            return
        # By the debugging protocol: the page's own rules let no other script in.
        await self.js(axe + "; null")
        found = await self.js("axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v => [v.impact, v.id, v.nodes.map(n => n.html.slice(0, 120) + ' ' + n.failureSummary)]))")
        grave = [fault for fault in found if fault[0] in ("serious", "critical")]
        print("axe-core", what, [fault[:2] for fault in found])
        assert not grave, (what, grave)


@contextlib.asynccontextmanager
async def open_page(rule="EXCLUDE 127.0.0.1"):
    """A page of a new browser that reaches this machine alone; a `rule` may map an address to another one."""
    folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    arguments = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", f"--user-data-dir={folder.name}", "--window-size=1280,900",
        f"--host-resolver-rules={rule}, MAP * ~NOTFOUND", "--remote-debugging-port=0", "about:blank",
    ]
    browser = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
    try:
        for line in browser.stderr:
            if "DevTools listening on" in line:
                break
        base = line.split("ws://")[1].split("/")[0]
        pages = json.load(urllib.request.urlopen(f"http://{base}/json"))
        address = next(page for page in pages if page["type"] == "page")["webSocketDebuggerUrl"]
        async with websockets.connect(address, max_size=None) as socket:
            page = Page(socket)
            listening = asyncio.create_task(page.listen())
            try:
                for domain in ("Page", "Runtime", "Log"):
                    await page.call(f"{domain}.enable")
                yield page
                assert not page.thrown, page.thrown
                blocked = [entry for entry in page.said if "Content Security Policy" in entry["text"] or entry["source"] == "security"]
                assert not blocked, blocked
            finally:
                listening.cancel()
    finally:
        browser.terminate()
        browser.wait()
        folder.cleanup()
