"""A client that PyPI `openapi-python-client` generates from the description of a server.

    generated_client.py HOST OWNER VIEWER     (a run of the scene of tests/src/served.rs)
    generated_client.py HOST                  (a server of several runs: the client is generated and imported)

Prints what failed and ends with 1, or `ok`; ends with 3 where the generator is not installed.
"""

import importlib
import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile
import time

NOT_INSTALLED = 3
LIMIT = 60


def generate(host, folder):
    """The package of the client; a warning of the generator is an error."""
    # It formats by `ruff`, which is installed beside this Python.
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
    generator = [sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning", "--meta", "none"]
    # It knows pictures as bytes where it is told so.
    config = folder / "config.json"
    config.write_text('{"content_type_overrides": {"image/png": "application/octet-stream"}}')
    ran = subprocess.run(
        [*generator, "--config", str(config), "--url", f"http://{host}/v1/openapi.json", "--output-path", str(folder / "robot_client")],
        cwd=folder,
        env={**os.environ, "PATH": path, "NO_PROXY": "127.0.0.1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    said = (ran.stdout + ran.stderr).strip()
    lines = said.splitlines()
    assert ran.returncode == 0 and len(lines) == 1 and lines[0].startswith("Generating "), said[:2000]
    sys.path.insert(0, str(folder))
    for file in sorted((folder / "robot_client").rglob("*.py")):
        name = ".".join(file.relative_to(folder).with_suffix("").parts)
        importlib.import_module(name.removesuffix(".__init__"))
    return importlib.import_module("robot_client")


def use(package, host, owner, viewer):
    """What a program does with a robot: look, take a lease, drive, stop; and what it is refused."""
    models = package.models
    server, agents, motion = package.api.server, package.api.agents, package.api.motion
    url = f"http://{host}"
    nobody = package.Client(base_url=url)
    owner = package.AuthenticatedClient(base_url=url, token=owner)
    viewer = package.AuthenticatedClient(base_url=url, token=viewer)

    def refused(answer, status, text):
        problem = answer.parsed
        assert type(problem) is models.Problem, answer
        assert answer.status_code == status and problem.status == status, answer
        assert text in problem.detail and problem.title, problem

    # What there is.
    assert server.health.sync(client=nobody) == models.Health(status="ok")
    assert server.version.sync(client=viewer).name == "becomingone"
    listed = agents.agents.sync(client=viewer)
    assert [a.agent for a in listed.agents] == ["rover"] and listed.tick > 0, listed
    rover = agents.agent.sync("rover", client=viewer)
    assert type(rover) is models.OneAgent and rover.mode == "controller", rover
    assert rover.tick >= listed.tick and type(rover.pose) is models.PoseView, rover
    assert [p.name for p in agents.places.sync(client=viewer).places] == ["dock"]

    # Who may what.
    refused(agents.agents.sync_detailed(client=nobody), 401, "token")
    refused(agents.agent.sync_detailed("crane", client=viewer), 404, "rover")
    wanted = models.Wanted(for_s=60.0, max_linear_m_s=0.3)
    refused(motion.grant.sync_detailed("rover", client=viewer, body=wanted), 403, "owner")
    drive = models.Drive(kind=models.DriveKind.DRIVE, linear_m_s=0.2, for_s=30.0)
    refused(motion.request.sync_detailed("rover", client=owner, body=drive, lease="x"), 403, "lease")

    # A lease, and what it lets its holder do.
    granted = motion.grant.sync("rover", client=owner, body=wanted)
    assert type(granted) is models.Granted and granted.agent == "rover", granted
    lease = granted.id
    answer = motion.request.sync_detailed("rover", client=owner, body=drive, lease=lease)
    assert answer.status_code == 202 and answer.parsed.tick > listed.tick, answer
    # The patrol drove at 0.4 m/s.
    until(
        lambda: agents.agent.sync("rover", client=viewer),
        lambda r: r.mode == "request" and abs(r.velocity.linear_m_s - 0.2) < 0.05,
    )
    fast = models.Drive(kind=models.DriveKind.DRIVE, linear_m_s=0.9)
    refused(motion.request.sync_detailed("rover", client=owner, body=fast, lease=lease), 403, "at most 0.3")
    endless = models.Drive(kind=models.DriveKind.DRIVE, linear_m_s=0.1, for_s=-1.0)
    refused(motion.request.sync_detailed("rover", client=owner, body=endless, lease=lease), 400, "for_s")

    # A stop needs no lease and latches.
    assert motion.stop.sync_detailed("rover", client=viewer).status_code == 204
    until(lambda: agents.agent.sync("rover", client=viewer), lambda r: r.mode == "stopped")
    refused(motion.request.sync_detailed("rover", client=owner, body=drive, lease=lease), 409, "stop")
    assert type(motion.clear_stop.sync("rover", client=owner)) is models.AcceptedView
    until(lambda: agents.agent.sync("rover", client=viewer), lambda r: r.mode != "stopped")
    assert motion.release.sync_detailed("rover", client=owner, lease=lease).status_code == 204
    assert motion.leases.sync(client=viewer).leases == []

    # Either kind of goal is a class; the first lease has a limit of speed, which a goal does not state.
    lease = motion.grant.sync("rover", client=owner, body=models.Wanted(for_s=60.0)).id
    for goal in (
        models.GoToPlace(kind=models.GoToPlaceKind.GO_TO, place="dock"),
        models.GoToPosition(kind=models.GoToPositionKind.GO_TO, x_m=1.0, y_m=1.0),
    ):
        answer = motion.request.sync_detailed("rover", client=owner, body=goal, lease=lease)
        assert type(answer.parsed) is models.AcceptedView, answer
    assert motion.release.sync_detailed("rover", client=owner, lease=lease).status_code == 204


def until(ask, reached):
    end = time.monotonic() + 10
    while not reached(answer := ask()):
        assert time.monotonic() < end, answer
        time.sleep(0.05)
    return answer


def main(host, *tokens):
    if importlib.util.find_spec("openapi_python_client") is None:
        print("skipped: the generator is not installed; pip install openapi-python-client==0.29.*")
        return NOT_INSTALLED
    with tempfile.TemporaryDirectory() as folder:
        package = generate(host, pathlib.Path(folder))
        if tokens:
            use(package, host, *tokens)
    print("ok")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except AssertionError as error:
        print(error)
        sys.exit(1)
