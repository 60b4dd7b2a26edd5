"""10 000 random and adversarial requests to a run that serves, on eight connections at a time, and sockets that do nothing.

    flood.py HOST OWNER OPERATOR VIEWER COUNT

Nothing that it asks for may be accepted but what a lease allows, and nothing may be an error of the server. Prints counts
of the statuses, and `ok`.
"""

import collections
import json
import random
import resource
import socket
import struct
import sys
import threading
import time
from http.client import HTTPConnection, HTTPException

host, owner, operator, viewer, count = sys.argv[1:]
address = (host.split(":")[0], int(host.split(":")[1]))
LIMIT = 0.3
NUMBERS = ["0.1", "-0.2", "0.31", "-5", "1e308", "-1e308", "1e999", "NaN", "Infinity", "null", '"1"', "[]", "{}", "1e-320", ""]


def ask(connection, method, path, token, headers=None, body=None):
    headers = dict(headers or {})
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def granted():
    connection = HTTPConnection(*address, timeout=20)
    body = json.dumps({"for_s": 3600, "heartbeat_s": 3600, "max_linear_m_s": LIMIT, "max_angular_rad_s": LIMIT})
    status, answer = ask(connection, "POST", "/v1/agents/rover/lease", owner, body=body)
    assert status == 201, answer
    return json.loads(answer)["id"]


def one_bit(token, rng):
    at = rng.randrange(len(token))
    return token[:at] + chr(ord(token[at]) ^ 1) + token[at + 1 :]


def command(rng):
    """A command as text, and whether a lease of the limit allows it."""
    kind = rng.choice(["drive", "drive", "drive", "car", "stick", "go_to", "move", "turn", "joints", "nonsense"])
    a, b, for_s = rng.choice(NUMBERS), rng.choice(NUMBERS), rng.choice(["0.5", "1", "61", "-1", "0", "1e9", "NaN"])
    body = f'{{"kind": "{kind}", "linear_m_s": {a}, "angular_rad_s": {b}, "for_s": {for_s}}}'
    allowed = kind == "drive" and a in ("0.1", "-0.2", "1e-320") and b in ("0.1", "-0.2", "1e-320") and for_s in ("0.5", "1")
    return body, allowed


def adversary(number, lease, statuses, wrong):
    rng = random.Random(number)
    connection = HTTPConnection(*address, timeout=20)
    requests = "/v1/agents/rover/requests"
    for k in range(int(count) // 8):
        body, allowed = command(rng)
        case = rng.randrange(16)
        token, headers, path, method, may = operator, {"Lease": lease}, requests, "POST", allowed
        if case == 0:
            token, may = None, False
        elif case == 1:
            token, may = one_bit(rng.choice([owner, operator, viewer]), rng), False
        elif case == 2:
            token, may = viewer, False
        elif case == 3:
            headers, may = {}, False
        elif case == 4:
            headers, may = {"Lease": one_bit(lease, rng)}, False
        elif case == 5:
            # It arms itself.
            path, body, may = "/v1/agents/rover/lease", '{"for_s": 60}', False
            token = rng.choice([operator, viewer])
        elif case == 6:
            path, may = f"/v1/agents/{rng.choice(['crane', '..', '%00', 'a' * 5000, '%2e%2e%2f'])}/requests", False
        elif case == 7:
            headers, may = {"Lease": lease, "Origin": "http://evil.example"}, False
        elif case == 8:
            headers, may = {"Lease": lease, "Host": rng.choice(["evil.example", "evil.example:80", "127.0.0.1", ""])}, False
        elif case == 9:
            # The same key with another body, and again.
            headers = {"Lease": lease, "Idempotency-Key": str(rng.randrange(20))}
        elif case == 10:
            body, may = rng.choice(["[" * 60_000, "{" * 60_000, "\x00\xff", '{"kind":' * 5000, body[:-1], body + body]), False
        elif case == 11:
            body, may = "x" * 70_000, False
        elif case == 12:
            headers, may = {"Lease": lease, "Content-Type": rng.choice(["text/plain", "application/xml", ""])}, False
        elif case == 13:
            method, may = rng.choice(["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]), False
        elif case == 14:
            path, may = rng.choice(["/v1/agents/rover/clear_stop", "/v1/run/end", "/v1/../v1/run/end", "//v1/run/end"]), False
            token = rng.choice([operator, viewer])
        try:
            status, answer = ask(connection, method, path, token, headers, body.encode())
        except (HTTPException, OSError):
            # Closed by the server, as after a body that is too long.
            connection.close()
            connection = HTTPConnection(*address, timeout=20)
            statuses["closed"] += 1
            continue
        statuses[status] += 1
        ok = 200 <= status < 300
        if status >= 500 and status != 503 or ok and not may and case != 9 or ok and case == 9 and not allowed and b"tick" not in answer:
            wrong.append((case, status, method, path[:80], headers, body[:200], answer[:200]))


def malformed(statuses, seed):
    """Bytes that are no request: frames of HTTP/2, of gRPC, of WebSocket; a body of a gigabyte that never comes."""
    rng = random.Random(seed)
    starts = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + struct.pack(">I", 0xFFFFFF)[1:] + bytes([0, 0, 0, 0, 0, 0]),
        b"POST /becomingone.v1.Engine/Stop HTTP/1.1\r\nHost: %s\r\nContent-Type: application/grpc\r\nContent-Length: 9\r\n\r\n" % host.encode(),
        b"POST /v1/agents/rover/requests HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Length: 1000000000\r\n\r\n"
        % (host.encode(), operator.encode()),
        b"GET /v1/stream HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" % (host.encode(), viewer.encode()),
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000,
        b"",
    ]
    for _ in range(200):
        with socket.create_connection(address, timeout=10) as client:
            try:
                client.sendall(rng.choice(starts) + rng.randbytes(rng.randrange(400)))
                client.shutdown(socket.SHUT_WR)
                client.settimeout(10)
                while client.recv(65536):
                    pass
                statuses["malformed"] += 1
            except OSError:
                statuses["reset"] += 1


def main():
    statuses, wrong = collections.Counter(), []
    lease = granted()
    threads = [threading.Thread(target=adversary, args=(k, lease, statuses, wrong)) for k in range(8)]
    threads += [threading.Thread(target=malformed, args=(statuses, k)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[:3]
    # Sockets that are opened and say nothing: as many as this process may have. A stop passes them.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 12_000), hard))
    page = HTTPConnection(*address, timeout=20)
    ask(page, "GET", "/v1/version", viewer)
    idle = []
    for _ in range(min(hard, 12_000) - 200):
        if len(idle) == 10_000:
            break
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(address)
        idle.append(client)
    begun = time.monotonic()
    status, _ = ask(page, "POST", "/v1/stop", viewer)
    kept = time.monotonic() - begun
    assert status == 204 and kept < 0.5, (status, kept)
    begun = time.monotonic()
    status, answer = ask(HTTPConnection(*address, timeout=60), "GET", "/v1/agents/rover", viewer)
    new = time.monotonic() - begun
    assert status == 200 and json.loads(answer)["mode"] == "stopped", answer
    for client in idle:
        client.close()
    print(dict(statuses))
    print(f"{len(idle)} idle sockets: a stop on a connection that is open took {kept:.3f} s, a new connection {new:.3f} s")
    print("ok")


main()
