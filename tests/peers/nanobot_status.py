"""nanobot-ai (HKUDS/nanobot) with our server in its configuration file, and a fake model.

    nanobot_status.py PROGRAM

nanobot starts `becomingone mcp` by itself; the model calls `status`, `drive` without a lease, and `lease`. Prints what
came back. Ends with 0, with 1 and what failed, or with 3 where nanobot is not installed: `BECOMINGONE_NANOBOT` names its
program, else it is looked for beside this Python.
"""

import json
import os
import pathlib
import sys
import tempfile

from agent_peers import NOT_INSTALLED, Model, Run, finish, judge, squeeze

LIMIT = 90
SERVER = "robot"


def tool(name):
    return f"mcp_{SERVER}_{name}"


PLAN = [
    lambda results: (tool("status"), {}),
    lambda results: (tool("drive"), {"agent": "rover", "linear_m_s": 0.1}),
    lambda results: (tool("lease"), {"agent": "rover", "for_s": 10}),
    lambda results: results[0],
]


def main(program):
    beside = pathlib.Path(sys.executable).with_name("nanobot")
    nanobot = pathlib.Path(os.environ.get("BECOMINGONE_NANOBOT", beside)).absolute()
    if not nanobot.is_file():
        print("skipped: BECOMINGONE_NANOBOT does not name nanobot; pip install nanobot-ai==0.3.5")
        return NOT_INSTALLED
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        with Run(program, folder) as run, Model(PLAN) as model:
            home = folder / "home"
            home.mkdir()
            # nanobot starts servers with a few variables of its environment; XDG_RUNTIME_DIR is not among them.
            server = {"command": program, "args": ["mcp"], "env": {"XDG_RUNTIME_DIR": str(run.runtime)}}
            config = {
                "agents": {"defaults": {"workspace": str(home / "workspace"), "model": "fake", "provider": "custom"}},
                "providers": {"custom": {"apiKey": "none", "apiBase": model.url}},
                "tools": {"mcpServers": {SERVER: server}},
            }
            file = home / "config.json"
            file.write_text(json.dumps(config))
            environment = {**os.environ, "HOME": str(home), "COLUMNS": "200", "NO_PROXY": "127.0.0.1"}
            environment.pop("XDG_RUNTIME_DIR", None)
            before = run.get("/v1/run")
            words = ["agent", "--config", file, "--no-markdown", "--logs", "-m", "How is the robot?"]
            code, out, errors = finish([nanobot, *words], environment, home, LIMIT)
            assert code == 0, f"nanobot ended with {code}: {out}{errors}"
            assert not model.errors, model.errors
            assert len(model.results) == 3, f"{model.tools} {model.results}: {out}{errors}"
            judge(run, before, *model.results)
            assert squeeze(model.results[0]) in squeeze(out), f"the answer lacks the status: {out}"
    print("ok")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(os.path.abspath(sys.argv[1])))
    except AssertionError as error:
        print(error)
        sys.exit(1)
