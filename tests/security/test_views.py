"""Attacks on the table views: pages of other sites, connections without end, lists without number.

Most are tried on the server of a process of its own (`views_server`), because they are about what a process
has: connections, files, memory.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiohttp import ClientSession, ClientTimeout, web

from pipeline.web import admission, answers, connections, turns
from pipeline.web.problems import HEADERS, Problem
from tests.cli.fake_worker import HERE, Worker, scope_of
from tests.integration.cluster import ROOT
from tests.progress import SILENCE_S, eventually
from tests.web.test_answers import BALANCES

CONNECTIONS_MAX = 32
"""Of the fake worker."""
LIST = "/balances?tenant=t&limit=1000"


class Views:
    """The server's process, and ways to talk to it."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.security.views_server", str(folder), "1500"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.about = psutil.Process(self.process.pid)

    def said(self, request: str, within_s: float = SILENCE_S) -> str:
        """Send bytes as they are; return what comes until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), within_s) as opened:
            opened.sendall(request.encode("latin-1"))
            return read_all(opened)

    def get(self, path: str, host: str | None = None, *more: str) -> tuple[int, dict[str, str], str]:
        """Return status, headers and body of a request."""
        lines = [f"GET {path} HTTP/1.1", f"Host: {host or self.here}", *more, "Connection: close", "", ""]
        head, _, body = self.said("\r\n".join(lines)).partition("\r\n\r\n")
        status, *fields = head.split("\r\n")
        return int(status.split()[1]), dict(field.split(": ", 1) for field in fields), body

    @property
    def here(self) -> str:
        return f"127.0.0.1:{self.port}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), SILENCE_S)

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def read_all(opened: socket.socket) -> str:
    """Return what comes until the other side closes."""
    pieces = []
    try:
        while piece := opened.recv(65_536):
            pieces.append(piece)
    except ConnectionError:
        pass
    return b"".join(pieces).decode("latin-1")


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Views]:
    running = Views(tmp_path_factory.mktemp("views"))
    yield running
    running.close()


# --- pages of other sites


@pytest.mark.parametrize(
    "host", ["{here}", "localhost:{port}", "LOCALHOST.:{port}", "[::1]:{port}", "127.9.9.9:{port}"]
)
def test_the_worker_answers_for_its_own_addresses(views: Views, host: str) -> None:
    assert views.get("/live", host.format(here=views.here, port=views.port))[0] == 200


@pytest.mark.parametrize("host", ["views.example", "views.example:443"])
def test_it_answers_for_the_names_that_a_setting_allows(views: Views, host: str) -> None:
    assert views.get(LIST, host)[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:{port}",
        "evil.example",
        "127.0.0.1",
        "localhost:1",
        "127.0.0.1.evil.example:{port}",
        "10.0.0.5:{port}",
    ],
)
def test_a_rebound_name_reads_nothing_and_is_told_how_to_be_allowed(views: Views, host: str) -> None:
    status, headers, body = views.get(LIST, host.format(port=views.port))
    assert status == 421 and headers["Content-Type"].startswith("application/problem+json")
    detail = json.loads(body)["detail"]
    assert views.here in detail and f"LEDGERFLOW_WEB_HOSTS={host.format(port=views.port)}" in detail
    assert "a00001" not in body


@pytest.mark.parametrize(
    "hosts", ["", "Host: {here}\r\nHost: evil.example\r\n", "Host: a b\r\n", "Host: @{here}\r\n"]
)
def test_a_request_names_one_host(views: Views, hosts: str) -> None:
    given = hosts.format(here=views.here)
    assert views.said(f"GET {LIST} HTTP/1.1\r\n{given}Connection: close\r\n\r\n").split(" ", 2)[1] == "400"


@pytest.mark.parametrize(
    "header",
    [
        "Origin: http://evil.example",
        "Origin: null",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
    ],
)
def test_a_page_of_another_site_reads_nothing(views: Views, header: str) -> None:
    status, _, body = views.get(LIST, None, header)
    assert status == 403 and "open the address itself" in json.loads(body)["detail"]


def test_the_own_pages_of_a_browser_are_answered(views: Views) -> None:
    own = (f"Origin: http://{views.here}", "Sec-Fetch-Site: same-origin")
    assert views.get("/", None, *own)[0] == 200
    assert views.get("/", None, "Sec-Fetch-Site: none")[0] == 200


@pytest.mark.parametrize(
    "request_line",
    [
        "GET /live",
        "GET " + LIST,
        "GET /nothing",
        "GET /balances",
        "POST /live",
        "POST /snapshots",
        "GET /live?a=" + "x" * 9_000,
    ],
)
def test_every_answer_forbids_what_a_browser_could_do_with_it(views: Views, request_line: str) -> None:
    answer = views.said(f"{request_line} HTTP/1.1\r\nHost: {views.here}\r\nConnection: close\r\n\r\n")
    for name, value in HEADERS.items():
        assert f"\r\n{name}: {value}\r\n" in answer, answer[:500]
    assert "aiohttp" not in answer and "Access-Control" not in answer


def test_a_setting_with_a_bad_host_is_refused() -> None:
    assert admission.parse("views.example:443") == admission.Host("views.example", 443)
    assert admission.parse("http://views.example") is None


# --- connections


def test_idle_connections_leave_room_for_who_asks(views: Views) -> None:
    """900 of them used up the process's files; now a new connection takes the place of the longest idle.

    Where the others have only just come, it is told that there is no room.
    """
    before = views.about.num_fds()
    idle = [views.connect() for _ in range(900)]
    try:
        eventually(lambda: views.get("/live")[0] == 200)
        assert views.about.num_fds() - before <= CONNECTIONS_MAX + connections.REFUSED_MAX + 2
        assert idle[0].recv(1) == b"", "the oldest has given way"
        told = [read_all(one) for one in idle]
        assert {text[:12] for text in told} <= {"", "HTTP/1.1 503"}, "who is idle is told nothing else"
    finally:
        for one in idle:
            one.close()


@pytest.mark.parametrize("trickle", [b"", b"X: y\r\n"], ids=["silent", "slow"])
async def test_a_connection_without_a_whole_head_ends(
    trickle: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "IDLE_S", 0.5)
    async with served(web.Application()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        if trickle:
            writer.write(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n".encode())
        ended = asyncio.create_task(reader.read())
        while not ended.done():
            writer.write(trickle)
            await asyncio.wait([ended], timeout=0.02)
        assert ended.exception() is not None or ended.result() == b""
        writer.close()


async def test_who_does_not_read_an_answer_loses_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither holds it a turn, nor a connection, nor memory for longer than a bound."""
    monkeypatch.setattr(turns, "SENT_WITHIN_S", 0.2)
    monkeypatch.setattr(connections, "SENT_WITHIN_S", 0.2)
    kept, ends = turns.Turns(1), asyncio.Event()

    async def in_turn(request: web.Request) -> web.StreamResponse:
        async with kept.turn():
            try:
                return await turns.sent(request, web.Response(body=b"x" * 50_000_000))
            finally:
                ends.set()

    async def large(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b"x" * 50_000_000)

    application = web.Application()
    application.router.add_get("/turn", in_turn)
    application.router.add_get("/large", large)
    async with served(application) as port:
        for path in ("/turn", "/large"):
            _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            if path == "/turn":
                await asyncio.wait_for(ends.wait(), SILENCE_S)
                async with kept.turn():
                    pass
            with pytest.raises(ConnectionError):  # the rest never comes
                while True:
                    await asyncio.sleep(0.05)
                    writer.write(b"x")
                    await writer.drain()
            writer.close()


@asynccontextmanager
async def served(application: web.Application, connections_max: int = 16) -> AsyncIterator[int]:
    """Serve an application behind bounded connections; yield its port."""
    runner = connections.Runner(application, connections_max)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def test_those_who_have_only_just_come_do_not_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SPARED_S", SILENCE_S)
    async with served(web.Application(), 16) as port:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(16)]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert (await reader.read()).startswith(b"HTTP/1.1 503")
        for _, other in [*idle, (reader, writer)]:
            other.close()


async def test_without_an_idle_connection_a_new_one_is_told_to_come_back() -> None:
    go_on, full, answering = asyncio.Event(), asyncio.Event(), 0

    async def waiting(_: web.Request) -> web.StreamResponse:
        nonlocal answering
        answering += 1
        if answering == 16:
            full.set()
        await go_on.wait()
        return web.Response(text="done")

    application = web.Application()
    application.router.add_get("/", waiting)
    async with served(application, 16) as port, ClientSession() as client:
        url = f"http://127.0.0.1:{port}/"
        busy = [asyncio.create_task(client.get(url)) for _ in range(16)]
        await full.wait()
        async with ClientSession() as another, another.get(url) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
            assert HEADERS.items() <= dict(answer.headers).items()
            assert await answer.text() == connections.NO_ROOM_TEXT
        go_on.set()
        assert {(await task).status for task in busy} == {200}


# --- lists


async def test_lists_wait_for_their_turn_and_not_for_ever() -> None:
    some = turns.Turns(2, waited_s=0.05)
    async with some.turn(), some.turn():
        with pytest.raises(Problem) as caught:
            async with some.turn():
                raise AssertionError("a third one")
        assert (caught.value.status, caught.value.retry) == (503, True)
    async with some.turn():
        pass


def test_lists_without_number_leave_memory_and_health_as_they_were(views: Views) -> None:
    """2,000 of them took RSS from 197 to 875 MB; now lists take turns, and what is too much is 503."""
    assert views.get(LIST)[0] == 200
    before, most = views.about.memory_info().rss, 0
    statuses, lives = asyncio.run(flood(views, 500))
    most = views.about.memory_info().rss
    assert statuses.keys() <= {200, 503, 0} and statuses[200] > 0, statuses
    assert statuses[0] < 250, statuses
    assert lives > 0
    assert most - before < 150 * 2**20, f"{before / 2**20:.0f} -> {most / 2**20:.0f} MB"
    assert views.get(LIST)[0] == 200


async def flood(views: Views, count: int) -> tuple[dict[int, int], int]:
    """Ask for many lists at once; return how often each status came (0: none), and answers of /live."""
    statuses: dict[int, int] = dict.fromkeys((200, 503, 0), 0)
    lives = 0

    async def one() -> None:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", views.port)
            writer.write(f"GET {LIST} HTTP/1.1\r\nHost: {views.here}\r\nConnection: close\r\n\r\n".encode())
            text = await reader.read()
            writer.close()
            status = int(text.split(b" ", 2)[1]) if text else 0
        except OSError:
            status = 0
        statuses[status] = statuses.get(status, 0) + 1

    asked = [asyncio.create_task(one()) for _ in range(count)]
    while not all(task.done() for task in asked):
        lives += (await asyncio.to_thread(views.get, "/live"))[0] == 200
    return statuses, lives


# --- peers


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Any]:
    running = Worker(tmp_path)
    yield running
    running.close()


async def test_a_peer_that_hangs_is_a_504_in_bounded_time(
    worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    monkeypatch.setattr(answers, "PEER_TIMEOUT", ClientTimeout(total=0.2, connect=0.2))
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    worker.owners = lambda _: dict.fromkeys(range(4), address)
    async with server, ClientSession() as worker.http_client:
        with pytest.raises(Problem) as caught:
            await answers.answer(worker, scope_of(BALANCES, tenant="t"))
    assert (caught.value.status, caught.value.retry) == (504, True)
    assert address in caught.value.detail and HERE not in caught.value.detail
