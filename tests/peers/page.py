"""The page of a run in Chromium, by its debugging protocol: signed in, driven by a key, stopped, its stream dead.

Usage: page.py ADDRESS PROCESS. Pictures are left in this folder.
"""

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

import websockets

address, process = sys.argv[1], int(sys.argv[2])
arguments = [
    "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", f"--user-data-dir={tempfile.mkdtemp()}", "--window-size=1280,900",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--remote-debugging-port=0", "about:blank",
]


async def main(base):
    pages = json.load(urllib.request.urlopen(f"http://{base}/json"))
    page = next(page for page in pages if page["type"] == "page")
    async with websockets.connect(page["webSocketDebuggerUrl"], max_size=None) as socket:
        count, thrown = 0, []

        async def call(method, **parameters):
            nonlocal count
            count += 1
            await socket.send(json.dumps({"id": count, "method": method, "params": parameters}))
            while True:
                message = json.loads(await socket.recv())
                if message.get("method") == "Runtime.exceptionThrown":
                    thrown.append(message["params"])
                if message.get("id") == count:
                    return message.get("result", message)

        async def js(expression):
            result = await call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
            return result["result"].get("value")

        async def until(what, expression):
            end = time.monotonic() + 15
            while not await js(expression):
                assert time.monotonic() < end, (what, await js("document.body.innerText"))
                await asyncio.sleep(0.05)

        async def picture(name):
            shot = await call("Page.captureScreenshot", format="png")
            with open(name, "wb") as file:
                file.write(base64.b64decode(shot["data"]))

        row = "(document.querySelector('#agents tr')?.innerText ?? '')"
        await call("Page.enable")
        await call("Runtime.enable")
        await call("Page.navigate", url=address)
        await until("live", "document.getElementById('link')?.textContent === 'live'")
        assert "code" not in await js("location.href")
        await until("the rover", f"{row}.includes('rover')")
        # The map has a picture, and it moves.
        pixels = "document.getElementById('map').toDataURL()"
        before = await js(pixels)
        await until("another map", f"{pixels} !== {json.dumps(before)}")
        await picture("desktop.png")

        await js("document.getElementById('lease').click()")
        await until("the lease", "document.getElementById('lease-state').textContent.includes('yours')")
        await js("document.getElementById('pad').focus()")
        key = {"key": "ArrowUp", "code": "ArrowUp", "windowsVirtualKeyCode": 38}
        await call("Input.dispatchKeyEvent", type="keyDown", **key)
        speed = "Number(document.querySelector('#agents tr').cells[3].textContent)"
        await until("driven by the key", f"{row}.includes('request') && {speed} > 0.5")
        await call("Input.dispatchKeyEvent", type="keyUp", **key)
        await until("standstill when it is let go", f"{row}.includes('request') && {speed} < 0.01")
        await js("document.getElementById('stop').click()")
        await until("stopped", f"{row}.includes('stopped')")

        await call("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True)
        dark = {"name": "prefers-color-scheme", "value": "dark"}
        await call("Emulation.setEmulatedMedia", features=[dark])
        await asyncio.sleep(0.5)
        await picture("phone.png")
        assert await js("document.documentElement.scrollWidth") <= 390
        # The run hangs: the page says so within a second and a half, and is live again when it goes on.
        os.kill(process, signal.SIGSTOP)
        begun = time.monotonic()
        await until("dead", "document.getElementById('link').textContent.includes('no data')")
        assert time.monotonic() - begun < 2.5, time.monotonic() - begun
        os.kill(process, signal.SIGCONT)
        await until("live again", "document.getElementById('link').textContent === 'live'")
        assert not thrown, thrown


browser = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
try:
    for line in browser.stderr:
        if "DevTools listening on" in line:
            break
    asyncio.run(main(line.split("ws://")[1].split("/")[0]))
finally:
    browser.terminate()
    browser.wait()
