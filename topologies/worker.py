"""A worker process: `python -m topologies.worker [--worker N]`; `ledgerflow worker` and `up` run it.

    settings (environment) -> its folder, locked -> topics -> app -> Faust's worker, on uvloop

Exit codes: 0 after SIGTERM or SIGINT, 1 where Kafka, the registry, aiokafka, the folder or the web address
cannot be used, 2 for a bad setting or topology, 3 for topics that were deleted or have settings that the
streams cannot stand on, 70 for a crash and for a stop that waited too long for Kafka (a restart resumes from
the last commit), 130 for a SIGINT before it joins the group (nothing was done). Logs go to standard error.
"""

from __future__ import annotations

from pipeline.runtime import interrupts

if __name__ == "__main__":  # before the other imports, which take a second
    interrupts.begin()

import argparse
import asyncio
import gc
import os
import resource
import sys
import threading
from typing import Any, cast

import faust
import uvloop

from pipeline.runtime import logs
from pipeline.runtime.addresses import unusable
from pipeline.runtime.app import App
from pipeline.runtime.avro.registry import NotRegistered, RegistryUnavailable
from pipeline.runtime.escaping import EscapingStream
from pipeline.runtime.exit_codes import EXIT_BAD_SETTING, EXIT_CRASH, EXIT_TOPICS, EXIT_UNUSABLE
from pipeline.runtime.folders import own_folder
from pipeline.runtime.kafka import patches
from pipeline.runtime.kafka.pulse import question, worker_pulse
from pipeline.runtime.kafka.silence_file import SilenceFile
from pipeline.runtime.kafka.topic_start import Use, prepare_topics
from pipeline.runtime.kafka.topic_watch import TopicWatch
from pipeline.runtime.kafka.topics import TopicsError, TopicsUnusable, source_offsets_name
from pipeline.runtime.private_files import command_token, snapshot_key
from pipeline.runtime.settings import ENV_PREFIX, Settings, SettingsError, load_settings
from topologies.app import STREAMS, TABLELESS, TABLES, build, specs
from topologies.configuration import Configuration
from topologies.topology import TopologyError

FOLDER_FREE_WITHIN_S = 20.0
"""How long a worker waits for an earlier process with its number, which may be stopping."""
STOPS_WITHIN_S = 20.0
"""How long an orderly stop may take; the next worker repeats what is not committed by then."""
SWITCH_S = 0.001
FILES_MAX = 65_536
"""Files a worker may have open, where the system lets it: databases, Kafka's connections and the views'."""


class AddressError(RuntimeError):
    """The table views cannot be served where the settings say."""


class _Worker(faust.Worker):
    """Faust's worker with an upper bound for stopping: Faust itself waits for Kafka without one."""

    def _schedule_shutdown(self, signal: Any) -> None:
        last = threading.Timer(STOPS_WITHIN_S, os._exit, (EXIT_CRASH,))
        last.daemon = True
        last.start()
        super()._schedule_shutdown(signal)


def serve(app: App, loop: asyncio.AbstractEventLoop) -> int:
    """Run an app until a signal or a crash; return the exit code.

    Raises AssertionError if Faust returns without SystemExit.
    """
    worker = _Worker(app, loop=loop, quiet=True, override_logging=False)
    worker.spinner = None
    try:
        worker.execute_from_commandline()
    except SystemExit as ended:
        return EXIT_CRASH if ended.code else 0
    raise AssertionError("a worker ends with SystemExit")


def tune() -> None:
    """Set up the interpreter for a worker, before its app is made.

    uvloop becomes the event loop of every thread. The cyclic garbage collector runs rarely, because rows and
    events have no cycles and a unit of work is many objects. A thread that answers a view waits SWITCH_S for
    the interpreter lock, in the place of Python's 5 ms. Its open files may be FILES_MAX, in the place of the
    1,024 that a shell usually gives.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < FILES_MAX:
        may = FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, FILES_MAX)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, may), hard))
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 50, 1_000)
    sys.setswitchinterval(SWITCH_S)


def _parse(arguments: list[str] | None) -> int:
    parser = argparse.ArgumentParser(prog="python -m topologies.worker", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--worker", type=int, default=0, metavar="N", help="its number on this machine, from 0"
    )
    number: int = parser.parse_args(arguments).worker
    if number < 0:
        parser.error("--worker must not be negative")
    return number


def _require_address(settings: Settings, number: int) -> None:
    """Raises AddressError where this worker cannot serve its table views; Faust would find out by a crash."""
    port = settings.web_port + number
    if reason := unusable(settings.web_host, port):
        raise AddressError(
            f"worker {number} cannot serve its table views on {settings.web_host}:{port} ({reason}): choose"
            f" others ({ENV_PREFIX}WEB_HOST, {ENV_PREFIX}WEB_PORT; --worker N is added to the port)"
        )


def _watch(app: App, settings: Settings, number: int) -> None:
    """Start the threads that look whether Kafka answers and the topics are as they must be."""
    ask = question(settings.librdkafka(), source_offsets_name(settings.app_id), settings.partitions)
    silence = SilenceFile(settings.data_dir / f"worker-{number}-kafka-silent")
    worker_pulse(ask, settings.bootstrap_servers, app.problems, app.faults, silence).start()
    TopicWatch(settings, TABLES, TABLELESS, app.problems, app.faults).start()


def main(arguments: list[str] | None = None) -> int:
    """Run a worker; return the exit code."""
    if not isinstance(sys.stderr, EscapingStream):  # messages and tracebacks may quote what others wrote
        sys.stderr = cast(Any, EscapingStream(sys.stderr))
    number = _parse(arguments)
    try:
        settings = load_settings()
        logs.set_up(settings.log_level)
        configuration = Configuration(settings)
        specs(configuration)  # reads the operator's files: one that is not valid ends the worker here
        patches.install()
        lock = own_folder(settings, number, FOLDER_FREE_WITHIN_S)
        snapshot_key(settings), command_token(settings)  # made, or refused, before anything else
    except (SettingsError, TopologyError) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_BAD_SETTING
    except patches.UnsupportedVersion as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_UNUSABLE
    except OSError as error:
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        return EXIT_UNUSABLE
    try:
        _require_address(settings, number)
        prepare_topics(settings, [Use(s.name, s.source, s.table, s.earlier_source) for s in STREAMS])
    except (TopicsError, AddressError) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_TOPICS if isinstance(error, TopicsUnusable) else EXIT_UNUSABLE
    tune()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        app = build(configuration, worker=number)
    except (RegistryUnavailable, NotRegistered) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_UNUSABLE
    app.finalize()
    _watch(app, settings, number)
    with lock:
        return serve(app, loop)


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # threads of the Kafka clients may still wait for a broker that is down
