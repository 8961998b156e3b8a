"""A network between workers and broker that can be paused and cut: a small TCP proxy for each worker.

    worker N -> proxy N (what the broker advertises to it) -> the broker's listener for worker N

The broker has a listener of its own for each worker, because clients follow the address that a broker
advertises. A pause holds bytes back in both directions and loses none: what was sent arrives late, which is
how a worker that has been fenced comes to speak again.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from pipeline.runtime.local.secure import LOGIN_MODULE
from pipeline.runtime.local.stack import LocalStack
from pipeline.runtime.settings import Settings

WORKERS = 2
CHUNK_BYTES = 2**16
CALL_S = 10.0
RESET = struct.pack("ii", 1, 0)
"""Lingering for no time: a close that resets."""


def broker_port(settings: Settings, worker: int) -> int:
    """Return the port on which the broker listens for a worker's proxy."""
    return settings.web_port + 3 + worker


def proxy_port(settings: Settings, worker: int) -> int:
    """Return the port of a worker's proxy."""
    return settings.web_port + 3 + WORKERS + worker


class ProxiedStack(LocalStack):
    """A local stack whose broker is reached by each worker through a proxy."""

    def _launch(self, name: str, command: list[str]) -> Any:
        if name == "kafka":
            command = [*command, *overrides(self.settings, Path(command[-1]), self.secure)]
        return super()._launch(name, command)


def overrides(settings: Settings, properties: Path, secure: bool = False) -> list[str]:
    """Return the broker's options that add a listener for each worker to those of its configuration."""
    protocol = "SASL_SSL" if secure else "PLAINTEXT"
    given = dict(line.split("=", 1) for line in properties.read_text("utf-8").splitlines() if "=" in line)
    more: dict[str, list[str]] = {"listeners": [], "advertised.listeners": []}
    more["listener.security.protocol.map"] = []
    for worker in range(WORKERS):
        more["listeners"].append(f"WORKER{worker}://127.0.0.1:{broker_port(settings, worker)}")
        more["advertised.listeners"].append(f"WORKER{worker}://127.0.0.1:{proxy_port(settings, worker)}")
        more["listener.security.protocol.map"].append(f"WORKER{worker}:{protocol}")
        if secure:
            more[f"listener.name.worker{worker}.scram-sha-512.sasl.jaas.config"] = [LOGIN_MODULE]
    options: list[str] = []
    for name, values in more.items():
        options += ["--override", f"{name}={','.join([*([given[name]] if name in given else []), *values])}"]
    return options


class Network:
    """The proxies of all workers, on a thread of their own."""

    def __init__(self, settings: Settings) -> None:
        self.servers = {worker: f"127.0.0.1:{proxy_port(settings, worker)}" for worker in range(WORKERS)}
        """Where each worker finds Kafka."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._thread.start()
        self._proxies = {
            worker: _Proxy(proxy_port(settings, worker), broker_port(settings, worker))
            for worker in range(WORKERS)
        }
        for proxy in self._proxies.values():
            self._call(proxy.start())

    def pause(self, worker: int) -> None:
        """Hold back every byte between a worker and the broker, in both directions."""
        self._loop.call_soon_threadsafe(self._proxies[worker].flowing.clear)

    def resume(self, worker: int) -> None:
        """Let the bytes go on, those that were held back first."""
        self._loop.call_soon_threadsafe(self._proxies[worker].flowing.set)

    def cut(self, worker: int) -> None:
        """Reset every connection of a worker; new ones are accepted."""
        self._call(self._proxies[worker].cut())

    def stop(self) -> None:
        """Close everything."""
        for proxy in self._proxies.values():
            self._call(proxy.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_S)

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_S)


class _Proxy:
    """Passes the bytes of any number of connections on."""

    def __init__(self, port: int, target: int) -> None:
        self._port = port
        self._target = target
        self.flowing = asyncio.Event()
        self.flowing.set()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port)

    async def cut(self) -> None:
        for writer in list(self._open):
            with contextlib.suppress(OSError):  # closed by now
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.flowing.set()
        await self.cut()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            await self.flowing.wait()
            theirs, ours = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:  # the broker is away
            self._open.discard(writer)
            writer.transport.abort()
            return
        self._open.add(ours)
        await asyncio.gather(self._pass_on(reader, ours), self._pass_on(theirs, writer))
        self._open -= {writer, ours}

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one direction on until it ends; then the other one ends, too."""
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                await self.flowing.wait()
                writer.write(chunk)
                await writer.drain()
        with contextlib.suppress(OSError):
            writer.close()
