"""What the scripts of other people's agents share: a run, a model that answers by a fixed plan, programs that end in time.

Not a script of its own: nanobot_status.py and openclaw_status.py import it.
"""

import contextlib
import http.server
import json
import os
import re
import signal
import subprocess
import threading
import urllib.request

NOT_INSTALLED = 3


class Model:
    """A model behind the chat completions of OpenAI, on 127.0.0.1.

    Its plan is a list of functions of the tools' results so far; each returns the name and the arguments of a call, or
    the text of the answer. The results are counted in each request, so that a repeated request is answered as before.
    """

    def __init__(self, plan):
        self.plan, self.tools, self.results, self.errors = plan, [], [], []
        model = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.send("application/json", b'{"object": "list", "data": [{"id": "fake", "object": "model"}]}')

            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                try:
                    message = model.answer(request)
                except Exception as error:
                    model.errors.append(repr(error))
                    message = {"role": "assistant", "content": f"The plan failed: {error!r}"}
                why = "tool_calls" if "tool_calls" in message else "stop"
                if request.get("stream"):
                    self.send("text/event-stream", stream(message, why))
                    return
                choice = {"index": 0, "message": message, "finish_reason": why}
                answer = {**head("chat.completion"), "choices": [choice], "usage": USAGE}
                self.send("application/json", json.dumps(answer).encode())

            def send(self, kind, content):
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request):
        # A request without tools is for something else, as the title of a session.
        if not request.get("tools"):
            return {"role": "assistant", "content": "Robot"}
        self.tools = [tool["function"]["name"] for tool in request["tools"]]
        results = [plain(m["content"]) for m in request["messages"] if m["role"] == "tool"]
        self.results = max(self.results, results, key=len)
        step = self.plan[min(len(results), len(self.plan) - 1)](results)
        if isinstance(step, str):
            return {"role": "assistant", "content": step}
        name, arguments = step
        function = {"name": name, "arguments": json.dumps(arguments)}
        call = {"id": f"call{len(results)}", "type": "function", "function": function}
        return {"role": "assistant", "content": None, "tool_calls": [call]}


USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}


def head(kind):
    return {"id": "fake", "object": kind, "created": 0, "model": "fake"}


def stream(message, why):
    """The message as the one piece of a stream of events."""
    calls = [{"index": i, **call} for i, call in enumerate(message.get("tool_calls", []))]
    delta = {**message, "tool_calls": calls} if calls else message
    choices = [{"index": 0, "delta": delta, "finish_reason": None}]
    last = [{"index": 0, "delta": {}, "finish_reason": why}]
    pieces = [{"choices": choices}, {"choices": last}, {"choices": [], "usage": USAGE}]
    lines = [json.dumps({**head("chat.completion.chunk"), **piece}) for piece in pieces]
    return "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"]).encode()


def plain(content):
    """Text of a message, which may come in parts."""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content or [])


class Run:
    """A run that serves, in real time, which `becomingone mcp` finds by the runtime folder."""

    def __init__(self, program, folder):
        self.runtime = folder / "runtime"
        self.runtime.mkdir(mode=0o700)
        arguments = ["run", "robot", "--real-time", "--serve=0", "--rerun", "off", "--quiet"]
        self.process = subprocess.Popen(
            [program, *arguments],
            cwd=folder,
            env={**os.environ, "XDG_RUNTIME_DIR": str(self.runtime)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        # A run that prints no address ends by this, and so does the wait for its line.
        watch = threading.Timer(20, self.process.kill)
        watch.start()
        try:
            while not (line := self.process.stdout.readline()).startswith("page: "):
                assert line, f"the run has no address: {self.process.stderr.read()}"
        finally:
            watch.cancel()
        self.url = re.match(r"page: (http://[^/]+)", line)[1]
        self.token = (self.runtime / "becomingone" / "token").read_text().strip()

    def get(self, path):
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.kill()
        self.process.communicate()


def finish(arguments, environment, folder, limit):
    """Code, output and errors of a program; it and what it started in its group end after the limit (s)."""
    process = subprocess.Popen(
        [str(a) for a in arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, errors = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, errors = process.communicate()
        raise AssertionError(f"{arguments[0]} took longer than {limit} s: {out}{errors}") from None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, out, errors


def squeeze(text):
    """The text with single spaces, as programs wrap lines."""
    return " ".join(text.split())


def status_of(text):
    """Scene and tick of a status."""
    found = re.search(r"(\w+): tick (\d+),", text)
    assert found, f"no status: {text}"
    return found[1], int(found[2])


def refusal(text):
    """The refusal itself, without what an agent writes around it."""
    found = re.search(r"403 Forbidden: [^\n\"[]+", text)
    assert found, f"no refusal: {text}"
    return found[0].strip()


def judge(run, before, status, drive, lease):
    """What the tools answered: the status is of this run and of now, and nothing moved without a lease."""
    after = run.get("/v1/run")
    scene, tick = status_of(status)
    assert scene == after["scene"], (scene, after)
    assert before["tick"] <= tick <= after["tick"], (before["tick"], tick, after["tick"])
    assert "rover" in status, status
    assert "found no header `Lease`" in refusal(drive), drive
    assert "cannot ask a person" in refusal(lease), lease
    rover = run.get("/v1/agents/rover")
    assert rover["mode"] == "controller" and rover["request"] is None, rover
    assert run.get("/v1/leases")["leases"] == [], "a lease was granted"
    print(f"status: scene {scene}, tick {tick}, agent rover")
    print(f"drive: {refusal(drive)}")
    print(f"lease: {refusal(lease)}")
