"""Verification from the topics alone: wait until it is quiet, read everything once, say what does not hold.

    dead letters -> states of journals -> postings (the fold) -> balances -> commands, branch by branch
                 -> positions -> reconciliation -> alerts -> what was planted -> views

Nothing is imported from the streams: no domain code, no tables. What is checked are the design's invariants:

    1 zero_sum, entries          per branch and currency the postings sum to zero, entry by entry
    2 fold, balances, accounts   each balance is the fold of its postings, sequences have no gap
    3 inputs_*, answers, lives   one effect per event id; applied + dead letters = input, disjoint
    4 clearing, pending, holds   money in flight is zero when it is quiet; holds belong to payments, journals
      journals, legs, reversals  all legs of a journal or none; no more is taken back than was posted
    5 views                      what the workers answer is what the topics say
    all invariant_alerts, clearing_totals    what checks them all the time has read all, and is silent
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.verify.dead import DeadLetters
from pipeline.verify.decode import Decoder, registry_schemas
from pipeline.verify.invariants import check_invariants
from pipeline.verify.journal import Journal, check_balances, check_items, read_balances
from pipeline.verify.legs import Legs
from pipeline.verify.log import KafkaLog, TopicLog
from pipeline.verify.payments import Payments
from pipeline.verify.planted import Planted, PlantedChecks, read_manifests
from pipeline.verify.positions import check_positions
from pipeline.verify.reader import (
    ALERTS,
    COMMANDS,
    INPUTS,
    ITEMS,
    POSITION_COMMANDS,
    TOPICS,
    OnProgress,
    Reader,
)
from pipeline.verify.reconciliation import Reconciliation
from pipeline.verify.report import Check, Report
from pipeline.verify.views import Fetch, check_views, fetch_json


def verify(
    bootstrap_servers: str | Mapping[str, str],
    registry_url: str,
    manifests: Sequence[Path] = (),
    workers: Sequence[str] = (),
    wait_quiet_s: float = 3.0,
    on_progress: OnProgress | None = None,
    timeout_s: float = 120.0,
    fetch: Fetch = fetch_json,
    group: str = "ledgerflow",
) -> Report:
    """Verify a cluster and return what was found; `report.ok` is the verdict.

    `bootstrap_servers` may be the connection part of a librdkafka configuration (`Settings.librdkafka()`).
    `manifests` are files that `ledgerflow load` wrote, `workers` base URLs of views (none: not checked).
    Waits until the topics have not grown for `wait_quiet_s` and the streams' consumer `group` (the settings'
    app_id) has read them, at most `timeout_s`, and longer only for as long as the streams get on; traffic
    that never stops is a failed check, because records under way cannot be told from lost ones. About 1 KiB
    of memory per payment.
    Raises LogError where Kafka or the registry gives no answer, ValueError for a bad manifest.
    """
    started = time.monotonic()
    planted = read_manifests(manifests)
    log = KafkaLog(bootstrap_servers, group)
    try:
        quiet = Check("quiet", "The streams had come to rest before the topics were read.")
        busy = log.wait_until_quiet(list(TOPICS), wait_quiet_s, timeout_s)
        quiet.expect(busy is None, f"after {timeout_s:.0f} s {busy}")
        report = verify_log(
            log, Decoder(registry_schemas(registry_url)), planted, workers, on_progress, fetch
        )
    finally:
        log.close()
    report.checks.insert(0, quiet)
    report.seconds = time.monotonic() - started
    return report


def verify_log(
    log: TopicLog,
    decoder: Decoder,
    planted: Sequence[Planted] = (),
    workers: Sequence[str] = (),
    on_progress: OnProgress | None = None,
    fetch: Fetch = fetch_json,
) -> Report:
    """Verify what a log holds."""
    reader = Reader(log, decoder, on_progress)
    topics = Check("topics", "Every topic is there, all with the same number of partitions.")
    expected = max(reader.partitions(COMMANDS), 1)
    for topic in TOPICS:
        found = reader.partitions(topic)
        topics.expect(found == expected, f"{topic} has {found} partitions, ledger-commands {expected}")
    if not topics.ok:
        return Report([topics], reader.records)
    expectations = PlantedChecks(list(planted))
    dead = DeadLetters(reader)
    legs = Legs(reader, expectations.watch)
    journal = Journal(reader, expectations.watch, legs.held)
    balances = read_balances(reader)
    checks = [topics, *journal.checks, *check_balances(journal, balances), *check_invariants(reader, journal)]
    payments = Payments(reader, dead, journal, legs, balances, expectations.watch)
    checks += payments.run()
    checks += check_positions(reader, dead)
    checks.append(check_items(reader, journal))
    reconciliation = Reconciliation(reader, dead, journal)
    checks += reconciliation.run()
    alerted, alerts = check_alerts(reader, payments)
    checks.append(alerts)
    dead.finish({*INPUTS, COMMANDS, POSITION_COMMANDS, ITEMS})
    checks += [dead.check, reader.keys, reader.readable]
    checks += expectations.run(dead, payments, legs, journal, reconciliation, alerted)
    checks.append(check_views(workers, balances, fetch))
    return Report(checks, reader.records)


def check_alerts(reader: Reader, payments: Payments) -> tuple[set[str], Check]:
    """Return the payments (tenant/payment) with an alert, and whether they are those that must have one."""
    check = Check("alerts", "Each payment that is held or declined has an alert, and no other one has.")
    alerted: set[str] = set()
    ids: set[str] = set()
    for partition in range(reader.partitions(ALERTS)):
        for record, event in reader.events(ALERTS, partition):
            key = f"{event.fields['tenant_id']}/{event.fields['payment_id']}"
            check.expect(key in payments.suspected, f"{record.place}: an alert for {key}, which was approved")
            if event.fields["alert_id"] in ids:
                check.fail(f"{record.place}: alert {event.fields['alert_id']} a second time")
            ids.add(event.fields["alert_id"])
            alerted.add(key)
    for key in sorted(payments.alerts_due - alerted):
        check.fail(f"payment {key} was held or declined without an alert")
    return alerted, check
