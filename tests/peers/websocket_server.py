"""A WebSocket server on the library `websockets`, for tests: PORT [CERTIFICATE KEY].

Paths: /numbers counts, /flood as fast as it can, /mistakes what no client wants, /commands writes what it receives to
the file `commands`, /asked sends after it was asked, /token wants a token.
"""

import asyncio
import itertools
import json
import ssl
import sys

from websockets.asyncio.server import serve


async def handle(socket):
    path = socket.request.path
    if path in ("/numbers", "/token"):
        for n in itertools.count():
            await socket.send(json.dumps({"n": n, "tank": {"level": n / 4}}))
            await asyncio.sleep(0.01)
    elif path == "/flood":
        while True:
            await socket.send('{"tank": {"level": 7}}')
    elif path == "/mistakes":
        for text in ("what", '{"tank": 3}', b"\xff\xfe", '{"tank": {"level": null}}', "", '{"tank": {"level": 5}}'):
            await socket.send(text)
        await socket.send("x" * 2_000_000)
        await asyncio.sleep(600)
    elif path == "/commands":
        async for text in socket:
            with open("commands", "a", encoding="utf-8") as file:
                file.write(text + "\n")
    elif path == "/asked":
        asked = [await socket.recv(), await socket.recv()]
        # In two fragments.
        await socket.send(iter(['{"tank": {"level": %d' % len(asked), "}}"]))
        await socket.close(4000, "all " + " ".join(asked))


def admit(connection, request):
    if request.path == "/token" and request.headers.get("Authorization") != "Bearer correct-horse":
        return connection.respond(401, "no token\n")
    if request.path == "/page":
        return connection.respond(200, "a page\n")
    return None


async def main():
    tls = None
    if len(sys.argv) > 2:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(sys.argv[2], sys.argv[3])
    async with serve(handle, "127.0.0.1", int(sys.argv[1]), process_request=admit, ssl=tls):
        await asyncio.get_running_loop().create_future()


asyncio.run(main())
