"""Nodes of Ray on this machine, for tests: run in a network namespace where 127.0.0.1 is the only address."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

ADDRESS = "127.0.0.1:6379"


def each(processes: list[psutil.Process], do: Callable[[psutil.Process], None]) -> None:
    """Does something to processes, some of which end by themselves: a worker of Ray with its node."""
    for one in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            do(one)


def arguments(process: psutil.Process) -> list[str]:
    """Its command line; empty once it has ended."""
    try:
        found: list[str] = process.cmdline()
    except psutil.Error:
        return []
    return found


class Nodes:
    """A head and further nodes, a processor each, with a token of their own."""

    def __init__(self) -> None:
        # Short: the paths of sockets have at most 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="b1ray", dir="/tmp"))
        self.env = {
            **os.environ,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_TMPDIR": str(self.folder),
            # Ray gives its workers the niceness 15: beside other tests they would not run at all.
            "RAY_worker_niceness": "0",
            # Nor would nodes start within the usual 30 s.
            "RAY_raylet_start_wait_time_s": "150",
            # What a package needs is there, and no network.
            "PIP_NO_DEPS": "1",
            "PIP_NO_INDEX": "1",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        self.started: list[subprocess.Popen[bytes]] = []
        self._start("--head", "--port=6379", "--include-dashboard=false")
        self.wait_for(1)

    def _start(self, *arguments: str) -> None:
        # No file of the workers is left open by who starts them.
        log = (self.folder / f"node{len(self.started)}.log").open("wb")
        ray = "import sys; from ray.scripts.scripts import main; sys.exit(main())"
        fixed = ["--node-ip-address=127.0.0.1", "--num-cpus=1", "--object-store-memory=80000000", "--block"]
        command = [sys.executable, "-c", ray, "start", *fixed, *arguments]
        self.started.append(
            subprocess.Popen(command, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        )
        log.close()

    def add(self) -> int:
        """Starts a further node; returns its number."""
        self._start(f"--address={ADDRESS}")
        alive = sum(one.poll() is None for one in self.started)
        self.wait_for(alive)
        return len(self.started) - 1

    def wait_for(self, nodes: int, most_s: float = 150.0) -> None:
        """Waits until the head knows so many living nodes."""
        until = time.monotonic() + most_s
        code = (
            f"import ray, logging; ray.init(address={ADDRESS!r}, log_to_driver=False, logging_level=logging.ERROR);"
            "print(sum(n['Alive'] for n in ray.nodes()))"
        )
        text = "the port of the head is closed"
        while time.monotonic() < until:
            for one in self.started:
                assert one.poll() in (None, -9), self.logs()
            with socket.socket() as port:
                is_open = port.connect_ex(("127.0.0.1", 6379)) == 0
            if is_open:
                asked = subprocess.run(
                    [sys.executable, "-c", code], env=self.env, capture_output=True, text=True, timeout=120
                )
                text = asked.stdout.strip() or asked.stderr[-2000:]
                if asked.returncode == 0 and text == str(nodes):
                    return
            time.sleep(0.3)
        raise AssertionError(f"found {text} nodes, expected {nodes}: {self.logs()}")

    def logs(self) -> str:
        """What the nodes have printed."""
        return "\n".join(file.read_text(errors="replace")[-3000:] for file in self.folder.glob("node*.log"))

    def processes(self, node: int) -> list[psutil.Process]:
        """All processes of a node, those that it has started among them."""
        root = psutil.Process(self.started[node].pid)
        return [root, *root.children(recursive=True)]

    def kill(self, node: int, argument: str) -> list[int]:
        """Kills all processes of a node at once (SIGKILL), while one of them has this argument; returns their ids."""
        until = time.monotonic() + 60.0
        while True:
            each(self.processes(node), psutil.Process.suspend)
            # None is started meanwhile.
            all_of_it = self.processes(node)
            if any(argument in arguments(one) for one in all_of_it):
                break
            each(all_of_it, psutil.Process.resume)
            assert time.monotonic() < until, f"no process with {argument} on node {node}"
            time.sleep(0.03)
        each(all_of_it, psutil.Process.kill)
        self.started[node].wait(timeout=10)
        psutil.wait_procs(all_of_it, timeout=10)
        return [one.pid for one in all_of_it]

    def end(self) -> None:
        """Ends all nodes."""
        alive = [node for node, started in enumerate(self.started) if started.poll() is None]
        left = [one for node in alive for one in self.processes(node)]
        for node in alive:
            self.started[node].terminate()
        psutil.wait_procs(left, timeout=20)
        each([one for one in left if one.is_running()], psutil.Process.kill)
        for started in self.started:
            started.wait(timeout=10)
        shutil.rmtree(self.folder, ignore_errors=True)


def in_this_namespace() -> dict[int, str]:
    """Processes with the network of this one, without this one and who has started it."""
    mine = os.readlink("/proc/self/ns/net")
    known = {os.getpid(), *(one.pid for one in psutil.Process().parents())}
    found = {}
    for one in psutil.process_iter():
        try:
            if one.pid not in known and one.status() != "zombie" and os.readlink(f"/proc/{one.pid}/ns/net") == mine:
                found[one.pid] = " ".join(one.cmdline())[:200]
        except (OSError, psutil.Error):
            continue
    return found


def listening() -> list[dict[str, Any]]:
    """Sockets that listen: local address and owner."""
    done = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=True)
    return [
        {"address": line.split()[3], "owner": line.split()[5] if len(line.split()) > 5 else ""}
        for line in done.stdout.splitlines()
    ]
