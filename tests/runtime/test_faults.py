"""Faults around the streams: written once, by a thread, and bounded."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

from confluent_kafka import KafkaException

from pipeline.domain.kernel import events as ev
from pipeline.runtime import faults as module
from pipeline.runtime.faults import Fault, Faults
from tests.progress import wait_for

OPEN = Fault("transaction_open", "payments[1]", "producer 7 is open since noon", "payments", 1, 12)


class _Alerts:
    """Takes alerts; the first `failures` times Kafka does not answer."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.written: list[tuple[ev.FaultFound, int, str]] = []

    def write(self, alert: ev.FaultFound, partition: int, key: str) -> bool:
        if self.failures:
            self.failures -= 1
            raise KafkaException("no answer")
        self.written.append((alert, partition, key))
        return True


def _faults(alerts: Any) -> Faults:
    return Faults(lambda: alerts, "ledgerflow-0", partitions=4)


def test_a_fault_is_written_to_the_partition_that_it_is_about() -> None:
    alerts = _Alerts()
    _faults(alerts).report_last(OPEN, within_s=30)
    ((alert, partition, key),) = alerts.written
    assert (partition, key) == (1, "/payments[1]")
    assert (alert.code, alert.subject, alert.offset, alert.worker) == (
        "transaction_open",
        "payments[1]",
        12,
        "ledgerflow-0",
    )


def test_the_same_fault_has_the_same_id_whenever_it_is_found() -> None:
    first, second = OPEN.alert(1, "a"), OPEN.alert(2, "b")
    assert first.event_id == second.event_id
    assert OPEN._replace(found="producer 8").alert(1, "a").event_id != first.event_id


def test_a_fault_waits_for_kafka(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "AGAIN_AFTER_S", 0.01)
    alerts = _Alerts(failures=2)
    _faults(alerts).report_last(OPEN, within_s=30)
    assert len(alerts.written) == 1


def test_a_fault_is_given_up_after_some_tries_and_the_next_is_written(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "AGAIN_AFTER_S", 0.01)
    alerts = _Alerts(failures=module.TRIES_MAX)
    faults = _faults(alerts)
    told: list[bool] = []
    faults.report(OPEN, then=told.append)
    wait_for(lambda: told, "an alert that is given up")
    assert not alerts.written and told == [False]
    faults.report_last(OPEN._replace(subject="payments[2]"), within_s=30)
    assert [alert.subject for alert, _, _ in alerts.written] == ["payments[2]"]


def test_the_last_alert_of_a_process_has_several_tries(monkeypatch: Any) -> None:
    """The first one may come before a leader is elected anew."""
    slept: list[float] = []
    monkeypatch.setattr(module, "time", SimpleNamespace(time_ns=time.time_ns, sleep=slept.append))
    alerts = _Alerts(failures=4)
    _faults(alerts).report_last(OPEN, within_s=30)
    assert len(alerts.written) == 1 and len(slept) == 4
    assert sum(slept) < module.LAST_WITHIN_S
