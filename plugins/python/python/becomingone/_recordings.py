"""Recordings of a sweep in any file system of fsspec."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import threading
from collections.abc import Mapping
from typing import Any

POLL_S = 0.5
"""How often it is looked for chunks that are done (s)."""


class Remote:
    """A folder by its address: ``s3://bucket/runs``, ``memory://runs``. It is pickled by value, and uses nothing of this
    package: workers of a cluster have it too.

    Raises:
        ImportError: fsspec, or the library of the file system, is not installed.
        ValueError: The address has an unknown protocol.
    """

    def __init__(self, address: str, options: Mapping[str, Any] | None = None) -> None:
        self.address: str = address
        self.options: dict[str, Any] = dict(options or {})
        self._open()

    def _open(self) -> tuple[Any, str]:
        fsspec = importlib.import_module("fsspec")
        system, folder = fsspec.core.url_to_fs(self.address, **self.options)
        return system, folder.rstrip("/")

    def put(self, folder: str, names: list[str]) -> None:
        """Writes files of a folder here, each as a whole."""
        system, to = self._open()
        system.makedirs(to, exist_ok=True)
        # A file of a disk is renamed; one of an object store is there once it is complete.
        is_disk = "file" in ((system.protocol,) if isinstance(system.protocol, str) else system.protocol)
        for name in names:
            file = f"{to}/{name}"
            if is_disk:
                system.put_file(os.path.join(folder, name), f"{file}.tmp")
                os.replace(f"{file}.tmp", file)
            else:
                system.put_file(os.path.join(folder, name), file)


class Uploads:
    """Brings the recordings of chunks that are done from a folder to their place, while the program goes on with others.

    Args:
        parts: The folder of the plan and the parts.
        folder: Where the program records.
        remote: Where they belong.
    """

    def __init__(self, parts: str, folder: str, remote: Remote) -> None:
        self._parts, self._folder, self._remote = parts, folder, remote
        self._is_over = threading.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="recordings", daemon=True)

    def __enter__(self) -> Uploads:
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._is_over.set()
        self._thread.join()
        if self._failed is not None and error is None:
            raise self._failed
        with contextlib.suppress(OSError):
            os.rmdir(self._folder)

    def _run(self) -> None:
        try:
            while not self._is_over.wait(POLL_S):
                self._put()
            # Those of the last chunks.
            self._put()
        except BaseException as error:  # noqa: BLE001: it comes out of the end
            self._failed = error

    def _put(self) -> None:
        try:
            names = sorted(os.listdir(self._folder))
            with open(os.path.join(self._parts, "plan.json"), encoding="utf-8") as file:
                size = int(json.load(file)["chunk_runs"])
        except FileNotFoundError:
            return
        for name in names:
            run = name.removeprefix("run-").removesuffix(".mcap")
            if not run.isdecimal():
                continue
            if os.path.exists(os.path.join(self._parts, f"part-{int(run) // size:06}.parquet")):
                self._remote.put(self._folder, [name])
                os.remove(os.path.join(self._folder, name))
