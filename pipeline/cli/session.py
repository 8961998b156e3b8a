"""One run of `ledgerflow up`, from starting Kafka to stopping it.

    stack -> schemas -> workers -> gateway -> ready: endpoints.json -> (demo: load)
          -> supervise until a signal
          -> end the load -> the streams catch up -> (demo: verify) -> stop workers, registry, Kafka

Whatever fails on the way, every process that was started is stopped.
"""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.cli import endpoints
from pipeline.cli.children import Processes
from pipeline.cli.conditions import Conditions
from pipeline.cli.dashboard import Dashboard, View, counts_of
from pipeline.cli.load import next_seed
from pipeline.cli.problems import Failed
from pipeline.cli.reach import errors_in_one_line
from pipeline.cli.records import decoder
from pipeline.cli.stopping import Signals
from pipeline.cli.supervisor import Child, SupervisionError, Supervisor
from pipeline.cli.tally import Tally
from pipeline.cli.traffic import NO_ANSWER, TopicCounter
from pipeline.cli.verify import manifests_of, verified
from pipeline.runtime.avro.registry import register_all
from pipeline.runtime.kafka.access import OPERATOR
from pipeline.runtime.kafka.rest import Patience
from pipeline.runtime.local.credentials import ADMIN
from pipeline.runtime.local.stack import LocalStack, StackError
from pipeline.runtime.settings import Settings
from pipeline.verify import Report

DATA_DIR_DEFAULT = Settings.model_fields["data_dir"].default
TICK_S = 0.1
LOAD_ENDS_WITHIN_S = 20.0
"""How long to wait for the load to end while no new record is counted."""
DEAD_WITHIN_S = 2.0  # the death of a process is known by then
CAUGHT_UP_WITHIN_S = 20.0
"""How long to wait for the streams to catch up while they make no progress."""
QUIET_S = 1.0
"""The streams have caught up when no log has grown for so long and no record is left to read."""
VERIFY_QUIET_WITHIN_S = 60.0


@dataclass(frozen=True)
class RunOptions:
    """The options of a run."""

    demo: bool
    duration: float | None
    """Seconds after the stack is ready; None: until a signal."""
    rate: float
    """Demo payments per second."""


class Session:
    """The processes of a run. `run` does all of it; `summary` has its numbers, also after an error."""

    def __init__(
        self, settings: Settings, stack: LocalStack, options: RunOptions, dashboard: Dashboard
    ) -> None:
        self._settings = settings
        self._stack = stack
        self._options = options
        self._dashboard = dashboard
        self._data_dir = stack.data_dir
        self._phase = "starting"
        self._signals = Signals()
        self._processes = Processes(settings, stack, dashboard.say)
        self._conditions = Conditions(self._processes.worker_urls)
        self._traffic: TopicCounter | None = None
        self._load: Child | None = None
        self._tally = Tally()
        self.report: Report | None = None
        """Of the verification, if there was one."""
        self._ends_at: float | None = None
        self._ready_seconds: float | None = None
        self._stack_is_dead = False

    def run(self) -> None:
        """Do the whole run. Raises StackError, ArtifactError, SupervisionError, Failed, KeyboardInterrupt."""
        self._signals.install()
        try:
            self._start()
            self._signals.interrupting = False
            self._watch()
            self._settle()
        finally:
            self._signals.interrupting = False
            self._stop()

    def summary(self) -> dict[str, Any]:
        """Return the numbers of the run."""
        tally, report = self._tally, self.report
        return {
            "ready_seconds": None if self._ready_seconds is None else round(self._ready_seconds, 2),
            **{name.replace(" ", "_"): count for name, count in counts_of(tally).items()},
            "lag": tally.lag,
            "workers": self._settings.workers,
            "restarts": self._processes.restarts,
            "invariants": None if report is None else {check.name: check.ok for check in report.checks},
        }

    @property
    def interrupted_code(self) -> int:
        """The exit code of a run that a signal has interrupted."""
        return self._signals.exit_code

    def _start(self) -> None:
        """Start everything and wait until it is ready."""
        began = time.monotonic()
        if endpoints.read(self._data_dir) is None:  # left by a killed run; scripts wait for the file
            endpoints.remove(self._data_dir)
        self._dashboard.say(f"starting Kafka and the schema registry in {self._data_dir}: about ten seconds")
        self._stack.start()
        self._settings, admin = self._stack.settings_of(OPERATOR), self._stack.settings_of(ADMIN)
        with errors_in_one_line(admin):
            register_all(admin.registry())
        self._dashboard.say(f"Kafka and the schema registry answer after {time.monotonic() - began:.1f} s")
        for supervisor in self._processes.in_order:
            self._await_ready(supervisor)
        self._ready_seconds = time.monotonic() - began
        self._processes.keep_endpoints()
        views, door = ", ".join(self._processes.worker_urls), self._processes.gateway_url
        self._dashboard.say(f"ready after {self._ready_seconds:.1f} s: API {door}, views {views}")
        if link := self._processes.first_link():
            self._dashboard.say(f"no administrator yet: within 15 minutes, open {link} in a browser here")
        self._traffic = TopicCounter(self._settings, decoder(self._settings), self._data_dir / "counts.json")
        try:
            with errors_in_one_line(self._settings):
                self._traffic.start()
        except Failed:
            self._blame_the_stack()
            raise
        self._conditions.start(self._settings)
        self._signals.raise_if_received()

    def _blame_the_stack(self) -> None:
        """Raises StackError where Kafka has died: that says more than that it does not answer."""
        until = time.monotonic() + DEAD_WITHIN_S
        while time.monotonic() < until:
            self._check()
            time.sleep(TICK_S)

    def _await_ready(self, supervisor: Supervisor) -> None:
        """Start processes and wait until they are ready."""
        supervisor.start()
        since = time.monotonic()
        while not supervisor.all_ready:
            self._signals.raise_if_received()
            self._check()
            supervisor.require_ready(time.monotonic() - since, self._data_dir / "logs")
            time.sleep(TICK_S)

    def _start_load(self) -> None:
        seed = next_seed(self._data_dir)
        self._load = self._processes.start_load(seed, self._options.rate)
        self._dashboard.say(f"demo traffic, seed {seed}, {self._options.rate:g} payments/s")

    def _watch(self) -> None:
        """Show the state and supervise until a signal or the end of the duration."""
        if self._options.demo:
            self._start_load()
        self._phase = "running"
        if self._options.duration is not None:
            self._ends_at = time.monotonic() + self._options.duration
        self._dashboard.open()
        while not self._signals.received and (self._ends_at is None or time.monotonic() < self._ends_at):
            self._tick()
            if self._load is not None and (code := self._load.exit_code()) is not None:
                said = f"the load generator ended with exit code {code}"
                raise SupervisionError(f"{said}: {self._load.why_it_ended()}")

    def _settle(self) -> None:
        """End the load, let the streams catch up, and verify.

        A further signal skips the rest. Raises KeyboardInterrupt if a verification was skipped.
        """
        hurried = len(self._signals.received) + 1
        self._ends_at = None
        if self._load is not None:
            self._phase = "ending the load"
            self._end_load(self._load, hurried)
        self._phase = "catching up"
        if not self._catch_up(hurried):
            self._dashboard.say(
                "stopping before the streams have caught up; the next run continues from there"
            )
        self._dashboard.close()
        if not self._options.demo:
            return
        if len(self._signals.received) >= hurried:
            raise KeyboardInterrupt
        self._dashboard.say("verifying everything from the topics alone")
        self._signals.interrupting = True
        urls = self._processes.worker_urls
        try:
            self.report = verified(
                self._settings, manifests_of(self._settings), urls, QUIET_S, VERIFY_QUIET_WITHIN_S
            )
        finally:
            self._signals.interrupting = False

    def _end_load(self, load: Child, hurried: int) -> None:
        """Ask the load to end and wait for it, as long as records are counted: it waits for the streams."""
        traffic = self._traffic
        assert traffic is not None
        load.ask_to_end()
        self._wait(lambda: load.exit_code() is not None, traffic.standstill(LOAD_ENDS_WITHIN_S), hurried)
        if load.exit_code():  # what it planted is not all there, so it could not be verified
            raise SupervisionError(f"the load generator failed: {load.why_it_ended()}")
        load.end()

    def _catch_up(self, hurried: int) -> bool:
        """Wait until the streams have read everything and no log grows; return False if it takes too long."""
        traffic = self._traffic
        assert traffic is not None
        with contextlib.closing(traffic.rest_watch()) as watch:
            patience = Patience(watch, CAUGHT_UP_WITHIN_S)

            def done() -> bool:
                try:
                    busy = watch.look()
                except NO_ANSWER:  # `_check` notices if Kafka has died
                    return False
                return busy is None and watch.still_s >= QUIET_S and traffic.idle and not traffic.tally().lag

            return self._wait(done, patience.is_over, hurried)

    def _wait(self, done: Callable[[], bool], is_over: Callable[[], bool], hurried: int) -> bool:
        """Supervise until `done`; return False if it takes too long, or at the `hurried`-th signal."""
        while not done():
            if is_over() or len(self._signals.received) >= hurried:
                return False
            self._tick()
        return True

    def _tick(self) -> None:
        """Supervise once, show the state, and pause."""
        self._check()
        self._conditions.show(self._processes.workers.workers, self._dashboard.say)
        if self._traffic is not None:
            self._dashboard.show(self._view(self._traffic.tally()))
        time.sleep(TICK_S)

    def _check(self) -> None:
        try:
            self._stack.check()
        except StackError:
            self._stack_is_dead = True
            raise
        self._processes.check()
        if self._ready_seconds is not None:
            self._processes.keep_endpoints()

    def _view(self, tally: Tally) -> View:
        left = None if self._ends_at is None else self._ends_at - time.monotonic()
        given = self._settings.data_dir
        return View(
            tally,
            self._processes.workers.workers,
            self._processes.gateway.workers[0],
            self._settings.bootstrap_servers,
            self._settings.schema_registry_url,
            self._phase,
            self._processes.restarts,
            self._conditions.present,
            left,
            "" if given == DATA_DIR_DEFAULT else f" --data {shlex.quote(str(given))}",
        )

    def _stop(self) -> None:
        """Stop what runs: load, gateway, workers, registry and Kafka.

        If Kafka has died, load and workers are killed at once: an orderly stop would only wait for Kafka.
        """
        with contextlib.ExitStack() as last:  # called in reverse order, each even if another one fails
            if self._processes.has_endpoints:
                last.callback(endpoints.remove, self._data_dir)
            last.callback(self._stack.stop)
            if self._traffic is not None:
                last.callback(self._stop_counting, self._traffic)
            if self._load is not None:
                last.callback(self._load.wait)
            last.callback(self._processes.stop, at_once=self._stack_is_dead)
            if self._load is not None:
                last.callback(self._load.kill if self._stack_is_dead else self._load.end)
            last.callback(self._conditions.stop)
            last.callback(self._dashboard.close)

    def _stop_counting(self, traffic: TopicCounter) -> None:
        self._tally = traffic.stop()
