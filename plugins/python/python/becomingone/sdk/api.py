"""Servers of an engine: REST, WebSocket, gRPC and MCP are one server, on one port, behind one token."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .core import CoherenceEngine


class Server:
    """A server of an engine.

    Args:
        engine: The engine.
        port: Port of this machine; 0: one that is free.
    """

    def __init__(self, engine: CoherenceEngine, port: int) -> None:
        self._engine = engine
        self._port = port
        self._is_started = False

    def start(self) -> None:
        """Starts the engine with it; from then on it answers. The engine runs by :meth:`CoherenceEngine.run`."""
        self._engine._serve(self._port)
        self._is_started = True

    @property
    def url(self) -> str:
        """Its address."""
        url = self._engine.start().url if self._is_started else None
        if url is None:
            raise RuntimeError("found a server that has not started; expected start() first")
        return url

    @property
    def page(self) -> str:
        """Address of its page, with the code that signs in once."""
        page = self._engine.start().page if self._is_started else None
        if page is None:
            raise RuntimeError("found a server that has not started; expected start() first")
        return page


def rest_api(engine: CoherenceEngine, port: int = 8420) -> Server:
    """A server whose ``/v1`` is REST."""
    return Server(engine, port)


def websocket_api(engine: CoherenceEngine, port: int = 8420) -> Server:
    """The same server: ``/v1/stream`` is a WebSocket."""
    return Server(engine, port)


def grpc_api(engine: CoherenceEngine, port: int = 8420) -> Server:
    """The same server: ``becomingone.v1.Engine`` is there by gRPC."""
    return Server(engine, port)


def mcp_server(engine: CoherenceEngine, port: int = 8420) -> Server:
    """The same server: ``/mcp`` has the Model Context Protocol."""
    return Server(engine, port)
