"""A worker's table views in a process of their own, without Kafka: what attacks on the views are tried on.

python -m tests.security.views_server FOLDER ACCOUNTS    prints its port; ends when its input does
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any, cast

import uvloop

from pipeline.domain.ledger.rows import Account, account_key
from pipeline.runtime.app import create_app
from pipeline.runtime.settings import load_settings
from pipeline.web import pages
from tests.cli.fake_worker import Worker, home
from tests.conftest import free_ports
from topologies.app import VIEWS

TENANT = "t"


def serving(folder: Path, accounts: int) -> tuple[Any, Any]:
    """Return a worker with so many accounts, and its web server, which does not run yet."""
    worker: Any = Worker(folder / "tables")
    for number in range(accounts):
        name = f"a{number:05d}"
        worker.commit("ledger", {account_key(TENANT, name): Account(0, "EUR").pack()}, home(name))
    app = create_app(load_settings(data_dir=folder / "data", web_port=free_ports()[0]), cast(Any, None))
    worker.web, worker.page = app.web, app.page
    pages.mount(worker, VIEWS)
    return worker, app.web


async def serve(folder: Path, accounts: int) -> None:
    """Serve until the standard input ends."""
    _, web = serving(folder, accounts)
    web.init_server()
    await web.start_server()
    print(web.app.conf.web_port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await web.stop_server()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1]) as inside:
        uvloop.run(serve(Path(inside), int(sys.argv[2])))
