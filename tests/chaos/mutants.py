"""Ways to break the product on purpose: each is a patch of a running worker, for tests only.

    python -m tests.chaos.mutants NAME --worker N        a worker with that patch, started by the driver

A mutant names the faults under which it shows. `HOLDS` are patches that must do no harm: the worker is killed
at its most delicate points, and nothing may be wrong after that.
"""

from __future__ import annotations

import copy
import os
import resource
import signal
import sys
import uuid
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import aiokafka
import pyruhvro

from pipeline.domain.fraud import log as fraud_log
from pipeline.domain.fraud import scheduled as fraud_scheduled
from pipeline.domain.fraud.features import habits as fraud_habits
from pipeline.domain.history import batch as history_columns
from pipeline.domain.history import rows as history_rows
from pipeline.domain.history import stream as history
from pipeline.domain.history import views as history_views
from pipeline.domain.kernel.currencies import flaw_of
from pipeline.domain.kernel.events import PaymentDecided
from pipeline.domain.kernel.outbox import Outbox, envelope
from pipeline.domain.ledger import (
    accounts,
    captures,
    journal_home,
    journal_legs,
    journals,
    leg_shares,
    link_books,
    link_home,
    payment_legs,
    payments,
    reversals,
    scheduled_journals,
)
from pipeline.domain.ledger import approvals as ledger_approvals
from pipeline.domain.ledger import books as ledger_books
from pipeline.domain.ledger import due as ledger_due
from pipeline.domain.ledger import holds as ledger_holds
from pipeline.domain.ledger import limits as ledger_limits
from pipeline.domain.ledger import outputs as ledger_answers
from pipeline.domain.ledger import proposals as ledger_proposals
from pipeline.domain.ledger import retention as ledger_retention
from pipeline.domain.ledger import sides as ledger_sides
from pipeline.domain.ledger import stream as ledger
from pipeline.domain.ledger.batch import decide as ledger_decisions
from pipeline.domain.ledger.batch import read as ledger_reading
from pipeline.domain.ledger.batch import stream as ledger_columns
from pipeline.domain.ledger.rows import payment_key
from pipeline.domain.ledger.value_times import ValueTime
from pipeline.domain.positions import book as positions
from pipeline.runtime import assignments, placement, task, transactions, unit
from pipeline.runtime.avro import codec
from pipeline.runtime.kafka import batches, changelog, inflating, membership, transport
from pipeline.runtime.kafka.records import singly
from pipeline.runtime.store import partition_store
from tests.chaos import matching_mutants
from tests.fraud import log_mutants
from topologies import worker

DIES_AT = 25
"""The commit at which a worker dies, of those that a mutant counts."""


Set = Callable[[Any, str, Any], None]
"""Sets an attribute of a module or a class: `setattr`, or what can take it back."""
Patch = Callable[[Set], None]


class Mutant(NamedTuple):
    """A way to break the product."""

    name: str
    says: str
    patch: Patch
    faults: tuple[str, ...] = ()
    rate: float = 80.0
    """Payments a second; a high one, after a kill, makes batches large enough for the batch path."""
    workers: int = 2
    """One: whoever dies comes back to its own disk, not to what another has made good."""


MUTANTS: dict[str, Mutant] = {}
HOLDS: dict[str, Mutant] = {}


def mutant(
    says: str, *faults: str, rate: float = 80.0, workers: int = 2, holds: bool = False
) -> Callable[[Patch], Patch]:
    """Register a patch under its function's name."""

    def register(patch: Patch) -> Patch:
        (HOLDS if holds else MUTANTS)[patch.__name__] = Mutant(
            patch.__name__, says, patch, faults, rate, workers
        )
        return patch

    return register


THAW, THAW_LATE = "thaw", "thaw late"
"""Instead of a fault: the driver lets a worker that has stopped itself go on when its session is over. Late:
when the others work on its partitions, and its open transaction, if it has one, is aborted."""


FLOWS = "load-flows"
"""The driver makes a file of this name in the data directory when payments flow."""


class _Once:
    """Sends a signal to its own process when it has been called DIES_AT times; one worker does it, once.

    Calls count from when payments flow: while accounts are opened the load waits for all workers, and so does
    the driver, until whoever is frozen has lost its transaction.
    """

    def __init__(self, number: signal.Signals) -> None:
        folder = Path(os.environ["LEDGERFLOW_DATA_DIR"])
        self._flows, self._mark = folder / FLOWS, folder / "was-struck"
        self._number = number
        self._left = DIES_AT

    def __call__(self) -> None:
        if self._left == DIES_AT and not self._flows.exists():
            return
        self._left -= 1
        if self._left == 0 and not self._mark.exists():
            self._mark.touch()
            os.kill(os.getpid(), self._number)


def _dying_once() -> _Once:
    return _Once(signal.SIGKILL)


# --- transactions


def _of_the_ledger(sources: Any) -> bool:
    return any(source.topic == "ledger-commands" for source in sources)


@mutant("dies when everything is written but the commit", holds=True)
def dies_before_the_commit(patch: Set) -> None:
    die, send = _dying_once(), aiokafka.AIOKafkaProducer.send_offsets_to_transaction

    async def sent(self: Any, offsets: Any, group: Any) -> None:
        await send(self, offsets, group)
        await self.flush()
        die()

    patch(aiokafka.AIOKafkaProducer, "send_offsets_to_transaction", sent)


@mutant("dies between the commit and the write to RocksDB", holds=True)
def dies_after_the_commit(patch: Set) -> None:
    die, commit = _dying_once(), transactions.TransactionalProducer.commit

    async def committed(self: Any, outputs: Any, sources: Any) -> Any:
        ends = await commit(self, outputs, sources)
        if _of_the_ledger(sources):
            die()
        return ends

    patch(transactions.TransactionalProducer, "commit", committed)


@mutant(
    "freezes before it commits, and wakes up when another worker has its partitions", THAW_LATE, holds=True
)
def freezes_before_the_commit(patch: Set) -> None:
    freeze, commit = _Once(signal.SIGSTOP), transactions.TransactionalProducer.commit

    async def committed(self: Any, outputs: Any, sources: Any) -> Any:
        if _of_the_ledger(sources):
            freeze()
        return await commit(self, outputs, sources)

    patch(transactions.TransactionalProducer, "commit", committed)


@mutant("writes RocksDB before the commit, and dies in between", workers=1)
def rocksdb_first(patch: Set) -> None:
    die, take = _dying_once(), task.PartitionTask.take

    def taken(self: Any) -> Any:
        part = take(self)
        stores = [machine.store for machine in self.machines if machine.store is not None]
        for store in [store for store in stores if store._in_flight]:
            store.write(store._in_flight, None)
            if self.spec.name == "ledger":
                die()
        return part

    patch(task.PartitionTask, "take", taken)


@mutant("commits the source offset before the outputs, and dies in between")
def offset_first(patch: Set) -> None:
    die, commit = _dying_once(), transactions.TransactionalProducer.commit

    async def committed(self: Any, outputs: Any, sources: Any) -> Any:
        await commit(self, {}, sources)
        if _of_the_ledger(sources):
            die()
        return await commit(self, outputs, sources)

    patch(transactions.TransactionalProducer, "commit", committed)


@mutant(
    "commits the group's offset after the outputs, and dies in between: the stream's own says it", holds=True
)
def offset_last(patch: Set) -> None:
    die = _dying_once()
    begin = aiokafka.AIOKafkaProducer.begin_transaction
    send = aiokafka.AIOKafkaProducer.send_offsets_to_transaction
    commit = aiokafka.AIOKafkaProducer.commit_transaction
    kept: dict[int, Any] = {}

    async def keep(self: Any, offsets: Any, group: Any) -> None:
        kept[id(self)] = (offsets, group)

    async def committed(self: Any) -> None:
        await commit(self)
        offsets, group = kept.pop(id(self))
        if "ledger-commands" in {place.topic for place in offsets}:
            die()
        await begin(self)
        await send(self, offsets, group)
        await commit(self)

    patch(aiokafka.AIOKafkaProducer, "send_offsets_to_transaction", keep)
    patch(aiokafka.AIOKafkaProducer, "commit_transaction", committed)


@mutant("commits in nobody's name, so nobody is fenced", THAW_LATE)
def no_fencing(patch: Set) -> None:
    freezes_before_the_commit(patch)
    patch(membership.Member, "require_valid", lambda self: None)

    def commit_as(self: Any, member: Any) -> None:
        self._producer._sender.member = member._replace(generation=-1, member_id="", instance_id=None)

    patch(transactions.TransactionalProducer, "commit_as", commit_as)


@mutant(
    "every start has a transactional id of its own: the membership fences, recovery waits", "kill", holds=True
)
def new_ids(patch: Set) -> None:
    dies_before_the_commit(patch)
    start = aiokafka.AIOKafkaProducer.__init__

    def init(self: Any, *, transactional_id: str, **about: Any) -> None:
        start(self, transactional_id=f"{transactional_id}-{uuid.uuid4()}", **about)

    patch(aiokafka.AIOKafkaProducer, "__init__", init)


@mutant(
    "freezes when all but the commit is said: the next owner waits until that is decided", THAW, holds=True
)
def freezes_at_the_commit(patch: Set) -> None:
    freeze, commit = _Once(signal.SIGSTOP), aiokafka.AIOKafkaProducer.commit_transaction

    async def committed(self: Any) -> None:
        freeze()
        await commit(self)

    patch(aiokafka.AIOKafkaProducer, "commit_transaction", committed)


@mutant("restores what is committed so far, and goes on while an earlier owner's transaction is open", THAW)
def restores_too_early(patch: Set) -> None:
    freezes_at_the_commit(patch)
    create = changelog._consumer
    patch(changelog, "_consumer", lambda connection, isolation="read_committed": create(connection))


@mutant("reads what is not committed, and what is aborted", "kill")
def read_uncommitted(patch: Set) -> None:
    create = transport.ConsumerThread._create_worker_consumer

    def created(self: Any, faust_transport: Any) -> Any:
        consumer = create(self, faust_transport)
        consumer._isolation_level = "read_uncommitted"
        return consumer

    patch(transport.ConsumerThread, "_create_worker_consumer", created)
    dies_before_the_commit(patch)


@mutant("writes no changelog", "wipe")
def no_changelog(patch: Set) -> None:
    start = task.PartitionTask.__init__

    def init(self: Any, machines: Any, *args: Any, **kwargs: Any) -> None:
        start(self, [replace(machine, changelog=None) for machine in machines], *args, **kwargs)

    patch(task.PartitionTask, "__init__", init)


@mutant("trusts any source offset, whatever the changelog says", "forge")
def any_offset(patch: Set) -> None:
    patch(assignments, "require_agreement", lambda app_id, said, ends: None)


@mutant("starts from what is on disk, whatever the changelog says", "wipe", "kill")
def no_restore(patch: Set) -> None:
    async def restore(connection: Any, stores: Any) -> int:
        return 0

    patch(changelog, "restore", restore)


@mutant("a snapshot says that it contains more of the changelog than it does", "restore", workers=1)
def snapshot_ahead(patch: Set) -> None:
    copy = partition_store.PartitionStore.checkpoint

    def copied(self: Any, path: Path) -> Any:
        reached = self.changelog_offset
        self.write({}, reached + 200)
        try:
            return copy(self, path)
        finally:
            self.write({}, reached)

    patch(partition_store.PartitionStore, "checkpoint", copied)


@mutant("begins at the newest record where nothing is committed yet", "storm")
def newest_first(patch: Set) -> None:
    create = transport.ConsumerThread._create_worker_consumer

    def created(self: Any, faust_transport: Any) -> Any:
        self.app.conf.consumer_auto_offset_reset = "latest"
        return create(self, faust_transport)

    patch(transport.ConsumerThread, "_create_worker_consumer", created)


@mutant("goes on at the first record of a log, whatever was lost before it", "truncate")
def earliest_reset(patch: Set) -> None:
    patch(assignments.Tasks, "require", lambda self, tp, position, first, end=None: None)


# --- batches


@mutant("drops the last record of a batch")
def last_record(patch: Set) -> None:
    apply = task.PartitionTask.apply

    def applied(self: Any, records: list[Any]) -> None:
        apply(self, records[:-1] if len(records) > 2 else records)

    patch(task.PartitionTask, "apply", applied)


@mutant("applies the first record of a batch twice")
def first_record(patch: Set) -> None:
    apply = task.PartitionTask.apply

    def applied(self: Any, records: list[Any]) -> None:
        apply(self, [records[0], *records] if len(records) > 2 else records)

    patch(task.PartitionTask, "apply", applied)


@mutant("writes the outputs of a transaction in the opposite order")
def reversed_outputs(patch: Set) -> None:
    encoded = unit.Unit.encoded

    def turned(self: Any, with_codec: Any) -> Any:
        return {place: singly(found)[::-1] for place, found in encoded(self, with_codec).items()}

    patch(unit.Unit, "encoded", turned)


@mutant("takes a decoded batch without the proof of its boundaries", "input", rate=2500.0)
def no_proof(patch: Set) -> None:
    def decode(raw: list[bytes], text: str) -> Any:
        try:
            return pyruhvro.deserialize_array(raw, text)
        except BaseException as error:
            raise codec.Unproven(type(error).__name__) from None

    patch(codec, "decode_columns", decode)


@mutant("writes no dead letters")
def no_dead_letters(patch: Set) -> None:
    def bury(self: Any, machine: Any, record: Any, reason: Any) -> None:
        self.dead_letters += 1

    patch(task.PartitionTask, "_bury", bury)


MEMORY_BYTES_MAX = 5 * 2**30
"""Most memory of a worker that inflates without a bound: the machine is others', too."""


@mutant("inflates a batch to whatever it comes to", "bomb")
def no_inflation_bound(patch: Set) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    patch(batches, "inflate", lambda codec, packed: inflating.inflate(codec, packed, 2**34))


@mutant("inflates less than it must, and calls honest batches too large", "bomb")
def too_small_a_bound(patch: Set) -> None:
    patch(batches, "RECORDS_MAX", 1)


@mutant("takes a record wherever it stands", "input")
def any_partition(patch: Set) -> None:
    decision = placement._decision

    def nearly(kind: Any, do: Any, partitions: int) -> Any:
        decide = decision(kind, do, partitions)
        return lambda event, key: (decide(event, key)[0], None)

    patch(placement, "_decision", nearly)


# --- the ledger


class _Forgetful:
    """Rows in which one key cannot be found."""

    def __init__(self, rows: Any, key: bytes) -> None:
        self._rows = rows
        self._key = key

    def get(self, key: bytes) -> bytes | None:
        return None if key == self._key else self._rows.get(key)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows, name)


@mutant("does not remember payment ids")
def no_dedupe(patch: Set) -> None:
    apply = ledger.Ledger.apply

    def applied(self: Any, event: Any, at: Any, rows: Any, out: Any) -> None:
        if isinstance(event, PaymentDecided):
            rows = _Forgetful(rows, payment_key(event.tenant_id, event.payment_id))
        apply(self, event, at, rows, out)

    patch(ledger.Ledger, "apply", applied)


@mutant("forgets to ask the creditor's branch for its leg")
def no_leg(patch: Set) -> None:
    _drop_output(patch, "LegRequested")


@mutant("writes only the debit of an entry")
def no_credit(patch: Set) -> None:
    posting = ledger_books.Books._emit_posting

    def half(self: Any, out: Any, entry_id: str, side: str, *args: Any) -> None:
        if side == "DEBIT":
            posting(self, out, entry_id, side, *args)

    patch(ledger_books.Books, "_emit_posting", half)


@mutant("rounds what it posts to ten minor units")
def rounded(patch: Set) -> None:
    post = ledger_books.Books.post

    def posted(self: Any, debit: str, credit: str, amount: int) -> None:
        post(self, debit, credit, round(amount, -1))

    patch(ledger_books.Books, "post", posted)


@mutant("lets an account be overdrawn by a cent")
def one_cent(patch: Set) -> None:
    reserve = ledger_books.Books.reserve

    def reserved(self: Any, debit: str, *about: Any) -> str | None:
        account = self.account(debit)
        if account is None:
            return reserve(self, debit, *about)  # a clearing account, at its first use
        account.debits_pending -= 1
        try:
            return reserve(self, debit, *about)
        finally:
            account.debits_pending += 1

    patch(ledger_books.Books, "reserve", reserved)


@mutant("keeps the hold of a payment that is declined")
def kept_hold(patch: Set) -> None:
    release = ledger_books.Books.release
    patch(ledger_books.Books, "release", lambda self, *pair: release(self, *pair[:3], 0))


@mutant("forgets since when the limit in effect counts")
def ageless_limit(patch: Set) -> None:
    put = ledger_limits._put_in_effect

    def forgotten(limit: Any, account: Any, limits: Any, tenant_id: str, account_id: str, rows: Any) -> None:
        put(limit, account, limits, tenant_id, account_id, rows)
        limits.since = None
        rows.put(ledger_limits._key(tenant_id, account_id), ledger_limits.LIMIT_ROW.pack(limits))

    patch(ledger_limits, "_put_in_effect", forgotten)


@mutant("lets a limit count from its arrival that was to begin later")
def hasty_limit(patch: Set) -> None:
    patch(ledger_limits, "_now", lambda *about: 2**62)


@mutant("does not note that a hold brings its creditor money")
def one_sided_hold(patch: Set) -> None:
    places_of = ledger_holds.payment_places
    for user in (ledger_holds, payments):
        patch(user, "payment_places", lambda *about: places_of(*about)[:1])


@mutant("does not count the open holds of an account")
def uncounted_holds(patch: Set) -> None:
    patch(ledger_due, "_count", lambda *about: None)


@mutant("finds a hold by its account that has ended")
def stale_index(patch: Set) -> None:
    unschedule = ledger_due.unschedule
    for user in (ledger_holds, journal_home):
        patch(user, "unschedule", lambda rows, due, places: unschedule(rows, due))


@mutant("ends nothing that is due but what is its own account's")
def own_alone(patch: Set) -> None:
    patch(ledger, "OTHERS_MAX", 0)


@mutant("lets each branch decide the period of the legs that another branch has asked for")
def own_periods(patch: Set) -> None:
    for asked in (payment_legs, journal_legs):
        patch(asked, "told_time", lambda *_: ValueTime())


@mutant("forgets, when a leg is answered, when the home has decided that it counts")
def forgotten_period(patch: Set) -> None:
    for answered in (payments, captures):
        patch(answered, "told_time", lambda *_: ValueTime())


@mutant("refuses a journal that must not move, in whatever period it would count")
def never_in_time(patch: Set) -> None:
    patch(journal_home.HomeJournal, "is_late", lambda self: True)


@mutant("takes a command for not_yet that is less than ninety days old")
def too_eager(patch: Set) -> None:
    answer = ledger.answer_ahead
    patch(ledger, "answer_ahead", lambda ahead_max, *about: answer(-90 * 86_400_000_000, *about))


@mutant("takes the US dollar for no currency")
def no_dollars(patch: Set) -> None:
    patch(accounts, "flaw_of", lambda unit: "none" if unit == "USD" else flaw_of(unit))


@mutant("gives events ids by chance", "kill")
def random_ids(patch: Set) -> None:
    patch(ledger_answers, "envelope", lambda cause, name: (str(uuid.uuid4()), *envelope(cause, name)[1:]))
    patch(ledger_books, "derived_id", lambda cause, name: str(uuid.uuid4()))


@mutant("leaves out a command where the batch path stops", "kill", rate=1500.0)
def batch_gap(patch: Set) -> None:
    apply = ledger_columns.LedgerBatch.apply

    def applied(self: Any, run: Any, rows: Any) -> Any:
        count, blocks = apply(self, run, rows)
        return (count + 1 if 0 < count < len(run) else count), blocks

    patch(ledger_columns.LedgerBatch, "apply", applied)


# --- ids that come again


def _any_repeat(patch: Set, answer: str, *users: Any) -> None:
    for user in users:
        patch(user, answer, lambda known, again: "exists")


@mutant("compares a payment that comes again by its parties and its money alone")
def any_hold(patch: Set) -> None:
    compare, ignored = payments.answer_to_payment, ("hold", "expiry", "reference", "type")

    def compared(known: Any, again: Any) -> str:
        code = compare(known, again)
        return "exists" if code.rpartition("_")[2] in ignored else code

    for user in (payments, ledger_reading):
        patch(user, "answer_to_payment", compared)


@mutant("takes a capture that comes again for the same, whatever it says")
def any_capture(patch: Set) -> None:
    _any_repeat(patch, "capture_code", captures)


@mutant("takes a reversal that comes again for the same, whatever its amount")
def any_reversal(patch: Set) -> None:
    _any_repeat(patch, "payment_reversal_code", reversals)


@mutant("takes a journal that comes again for the same, whatever it says")
def any_journal(patch: Set) -> None:
    _any_repeat(patch, "journal_code", journal_home)


@mutant("lets a change of an account that is delivered again have its effect again")
def any_change(patch: Set) -> None:
    patch(ledger, "once", lambda rule, window: rule)


@mutant("finds a journal by its id, whichever account it is of")
def any_home(patch: Set) -> None:
    def read(rows: Any, tenant_id: str, account_id: str, journal_id: str) -> Any:
        found = rows.scan(journals.earlier_key(tenant_id, journal_id) + b"\0")
        return next((journals.unpack_journal(row) for _, row in found), None)

    for user in (journal_home, journals, reversals):
        patch(user, "read_journal", read)


@mutant("takes a payment however old it is")
def any_age(patch: Set) -> None:
    patch(ledger, "answer_too_old", lambda *about: False)
    ages = ledger_decisions._too_old
    patch(ledger_decisions, "_too_old", lambda *about: (ages(*about)[0] & False, ages(*about)[1]))


@mutant("forgets a payment as soon as it has ended")
def short_memory(patch: Set) -> None:
    patch(ledger_retention.Retention, "is_over", lambda self, ended, clock: ended.at is not None)
    patch(ledger_columns, "kept", lambda rules: -1)


# --- the other streams


@mutant("makes an approved payment twice a habit of its debtor")
def learned_twice(patch: Set) -> None:
    learn = fraud_habits.learn

    def twice(*about: Any) -> None:
        learn(*about)
        learn(*about)

    patch(fraud_habits, "learn", twice)


mutant("knows frauds before their labels can be known")(log_mutants.look_ahead_label)
mutant("hangs the windows of fraud decisions on the newest payment")(log_mutants.window_at_newest)
mutant("tells no other partition what is known of payees")(log_mutants.risk_not_broadcast)
mutant("scores by another model than the decision names")(log_mutants.other_model_than_named)
mutant("finds nobody on a list of the fraud rules")(log_mutants.list_ignored)
mutant("loses each tenth alert")(log_mutants.alert_lost)


@mutant("raises no alert")
def no_alert(patch: Set) -> None:
    _drop_output(patch, "FraudAlertRaised")


@mutant("does not say which payments are stuck")
def silent_standstill(patch: Set) -> None:
    _drop_output(patch, "PaymentStuck")


@mutant("counts a trade that comes again", "input")
def filled_twice(patch: Set) -> None:
    execute = positions.PositionBook.execute

    def executed(self: Any, place: int, at: int, tenant: str, trade_key: bytes, *rest: Any) -> None:
        self._trades[trade_key] = None
        execute(self, place, at, tenant, trade_key, *rest)

    patch(positions.PositionBook, "execute", executed)


for patched in (*matching_mutants.MATCHING, *matching_mutants.CORRECTIONS):
    mutant(f"of reconciliation: {patched.__doc__}")(patched)


# --- the history


@mutant("leaves the last line out of the sum of a full zone")
def zone_one_short(patch: Set) -> None:
    fold = history.fold

    def folded(zones: list[Any], below: int, part: Any, lines: int) -> list[Any]:
        return fold(zones, below, part if lines % history_rows.ZONE else part._replace(posted=0), lines)

    patch(history, "fold", folded)


@mutant("leaves a line of sixteen out of the history")
def lost_line(patch: Set) -> None:
    apply = history.apply

    def applied(event: Any, at: Any, rows: Any, out: Any) -> None:
        if zlib.crc32(event.event_id.encode()) % 16:
            apply(event, at, rows, out)

    patch(history, "apply", applied)


@mutant("takes value time for booking time")
def value_for_booking(patch: Set) -> None:
    line_of = history._line

    def lined(event: Any, at: Any, head: Any) -> Any:
        line = line_of(event, at, head)
        line.booked_at = max(line.effective_at, head.booked_at)
        return line

    patch(history, "_line", lined)


@mutant("lets a late line be summed in a zone that does not reach back to it")
def late_line(patch: Set) -> None:
    and_then = history_rows.Zone.and_then

    def joined(self: Any, other: Any) -> Any:
        both = and_then(self, other)
        return both if self == history_rows.EMPTY_ZONE else both._replace(earliest=self.earliest)

    patch(history_rows.Zone, "and_then", joined)


@mutant("forgets, by columns, what an open zone has had so far", "kill", rate=1500.0)
def open_zone_forgotten(patch: Set) -> None:
    heads_of = history_columns._heads

    def read(*about: Any) -> Any:
        heads, higher = heads_of(*about)
        heads["posted"] = 0
        return heads, higher

    patch(history_columns, "_heads", read)


@mutant("does not count what was booked at the very time that is asked for")
def known_before(patch: Set) -> None:
    booked_by = history_views.booked_by

    def earlier(rows: Any, tenant_id: str, account_id: str, lines: int, time: int) -> int:
        return booked_by(rows, tenant_id, account_id, lines, time - 1)

    patch(history_views, "booked_by", earlier)


@mutant("takes a zone whole that begins in time, whatever it ends with")
def zone_taken_whole(patch: Set) -> None:
    zone_of = history.read_zone

    def early(*place: Any) -> Any:
        zone = zone_of(*place)
        return zone._replace(latest=zone.earliest)

    patch(history, "read_zone", early)


@mutant("answers for now, whatever was known then")
def known_now(patch: Set) -> None:
    patch(history_views, "booked_by", lambda rows, tenant_id, account_id, lines, time: lines)


# --- what is rare


@mutant("screens a payment for later at once")
def never_ahead(patch: Set) -> None:
    patch(fraud_log, "is_ahead", lambda event, now: False)


@mutant("executes a payment for later though it was cancelled")
def deaf_to_cancellations(patch: Set) -> None:
    patch(fraud_scheduled, "_cancel", lambda *about: None)


@mutant("posts a journal for later at once")
def hasty_journals(patch: Set) -> None:
    def posted(event: Any, watermark: int, *about: Any) -> None:
        journal_home.submit(1000, event, watermark, *about)

    patch(scheduled_journals, "_wait", posted)


@mutant("executes at once what needs a second person")
def nobody_asked(patch: Set) -> None:
    patch(ledger_proposals, "waits", lambda *about: False)


@mutant("lets a second person approve what is not proposed")
def any_content(patch: Set) -> None:
    refusal = ledger_approvals._refusal

    def refused(*about: Any) -> str | None:
        code: str | None = refusal(*about)
        return None if code == "proposal_changed" else code

    patch(ledger_approvals, "_refusal", refused)


@mutant("warns nobody of a past that is overdrawn")
def silent_past(patch: Set) -> None:
    patch(history, "warn_of_past", lambda *about: None)


@mutant("captures no more than is held, whatever the payer has agreed to")
def no_tolerance(patch: Set) -> None:
    def held(payment: Any, hold: Any) -> int:
        payment = copy.copy(payment)
        payment.capture_tolerance_bp = None
        return int(capturable(payment, hold))

    capturable = captures._capturable
    patch(captures, "_capturable", held)


@mutant("posts the legs of a journal that take shares as they come")
def no_shares(patch: Set) -> None:
    patch(leg_shares, "with_amounts", lambda legs, shares: legs)


@mutant("takes any rate that a payment names")
def any_rate(patch: Set) -> None:
    patch(ledger_sides, "differs", lambda *about: False)


@mutant("settles the payments of a link that can be, though another one cannot")
def part_of_a_link(patch: Set) -> None:
    def reserve(link: Any, *about: Any) -> Any:
        found = link_books.reserve(link, *about)
        while isinstance(found, link_books.Flaw) and found.place is not None and len(link.payments) > 1:
            del link.payments[found.place]
            found = link_books.reserve(link, (), *about[1:])
        return found

    patch(link_home, "reserve", reserve)


def _drop_output(patch: Set, kind: str) -> None:
    emit = Outbox.emit

    def emitted(self: Any, topic: str, key: str, event: Any) -> None:
        if type(event).__name__ != kind:
            emit(self, topic, key, event)

    patch(Outbox, "emit", emitted)


def main(arguments: list[str]) -> int:
    """Run a worker with a patch; return its exit code."""
    {**MUTANTS, **HOLDS}[arguments[0]].patch(setattr)
    return worker.main(arguments[1:])


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(code)
