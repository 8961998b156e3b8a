"""Reads of the batch path: the accounts and payments of a run, and which commands are irregular.

All rows of a run are read here, before any command is decided. They are valid for every command of the run:
what a command changes for a later one is either summed up (the counters), or makes the later one irregular
(a second command on the same payment or leg). Only a repeat of a payment is regular: it is answered from the
content of the first one.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.domain.kernel.columns import (
    METADATA_COLUMN,
    Run,
    joined,
    numpy_of,
)
from pipeline.domain.kernel.partitions import partitions_of
from pipeline.domain.kernel.rows import PrefetchingRows
from pipeline.domain.ledger.batch.accounts import are_customers, with_clearing_accounts
from pipeline.domain.ledger.batch.facts import (
    AMOUNT_MAX,
    DECIDED,
    FIELDS,
    LEG_POSTED,
    LEG_REFUSED,
    LEG_REQUESTED,
    REVIEWED,
    TIME_MAX,
    Facts,
)
from pipeline.domain.ledger.due import next_due
from pipeline.domain.ledger.payment_row import Payment
from pipeline.domain.ledger.repeats import answer_to_payment, content_of_row
from pipeline.domain.ledger.retention import newest_told
from pipeline.domain.ledger.rows import closed_key, read_watermark, unpack_number, unpack_payment
from pipeline.domain.ledger.walk import next_step

_SPECIAL = ("creditor_currency", "rate_e8", "exchange", "capture_tolerance_bp")
"""What only payments between currencies and holds have."""
_NO_PAYMENT = Payment("", "", "", "", 0, "", "", 0, "", None)


def read(run: Run, rows: PrefetchingRows, *, reviews_by_rows: bool = False) -> Facts:
    """Read what the commands of a run need; the run must have no events of the kind OTHER.

    `reviews_by_rows`: a review may need two people.
    """
    kinds, columns = run.kinds, dict(run.columns)
    is_leg = kinds == LEG_REQUESTED
    tenant = columns["tenant_id"]
    row_key_column = pc.if_else(
        pa.array(is_leg),
        joined("\0", "l", tenant, columns["leg_id"]),
        joined("\0", "p", tenant, columns["payment_id"]),
    ).dictionary_encode()
    place = numpy_of(row_key_column.indices)
    row_keys = row_key_column.cast(pa.binary())
    found = rows.get_many(row_key_column.dictionary.cast(pa.binary()).to_pylist())
    known = np.array([row is not None for row in found])[place]
    first = np.empty(len(found), np.int64)
    first[place[::-1]] = np.arange(len(run))[::-1]
    first = first[place]
    repeated = first != np.arange(len(run))

    later = (kinds != DECIDED) & (kinds != LEG_REQUESTED)
    payments = {
        position: None if row is None else unpack_payment(row)
        for position in np.flatnonzero(later & ~repeated).tolist()
        for row in [found[place[position]]]
    }
    regular = ~(repeated & (kinds != DECIDED)) & ~(is_leg & known)
    behind = {at: int(first[at]) for at in np.flatnonzero(repeated & (kinds == DECIDED)).tolist()}
    ended = {at: one.ended_at for at, one in payments.items() if one is not None and one.ended_at is not None}
    _complete(columns, kinds, later, payments, regular)
    answers, repeat_of = _repeats(columns, kinds, np.flatnonzero((kinds == DECIDED) & (known | repeated)),
                                  first, place, found, regular, ended)  # fmt: skip
    amount = numpy_of(columns["amount_minor"])
    regular &= amount <= AMOUNT_MAX
    # By rows: holds for captures, what expects a state, what has waited, payments between currencies.
    for name in ("hold_expires_at", "expected_sequence", "execute_at", *_SPECIAL):
        regular &= numpy_of(pc.is_null(columns[name]))
    for name in ("hold", "balancing"):
        regular &= ~numpy_of(columns[name], False)
    regular &= numpy_of(pc.is_null(columns["link_id"]))
    regular &= numpy_of(pc.is_null(columns["effective_at"]))  # a leg that counts at another time
    regular &= numpy_of(pc.is_null(columns["approved_by"]))  # what it says names a second person
    regular &= ~(reviews_by_rows & (kinds == REVIEWED))
    regular &= ~_in_closed_period(columns, rows)
    for times in (numpy_of(columns["occurred_at"]), run.recorded_at):
        regular &= (times > -TIME_MAX) & (times < TIME_MAX)
    return _with_accounts(run, columns, regular, rows, amount, row_keys, payments, answers, repeat_of,
                          ended, behind)  # fmt: skip


def _complete(
    columns: dict[str, pa.Array],
    kinds: np.ndarray,
    later: np.ndarray,
    payments: dict[int, Payment | None],
    regular: np.ndarray,
) -> None:
    """Fill in columns of commands on known payments from the payments' rows; mark irregular ones."""
    at = np.array(list(payments), np.int64)
    debtors = columns["debtor_account_id"].take(at).to_pylist()
    answers = np.isin(kinds[at], (LEG_POSTED, LEG_REFUSED)).tolist()
    for position, debtor, is_answer in zip(at.tolist(), debtors, answers, strict=True):
        payment = payments[position]
        its_own = payment is not None and payment.debtor_account_id == debtor
        if payment is not None and (payment.state == "AUTHORISED" or payment.exchange is not None):
            regular[position] = False  # it is captured in parts, or has two currencies
        elif payment is not None and payment.link_id is not None:
            regular[position] = False  # all payments of its link are meant
        elif is_answer:
            regular[position] &= its_own and payment is not None and payment.state == "IN_FLIGHT"
        elif not its_own:
            payments[position] = None  # as in the row path: another debtor's payment is not found
    known = [payments.get(position) or _NO_PAYMENT for position in np.flatnonzero(later).tolist()]
    for name, cells in (
        ("creditor_account_id", [payment.creditor_account_id for payment in known]),
        ("amount_minor", [payment.amount_minor for payment in known]),
        ("currency", [payment.currency for payment in known]),
        ("reference", [payment.reference for payment in known]),
        ("payment_type", [payment.payment_type for payment in known]),
    ):
        columns[name] = pc.replace_with_mask(columns[name], pa.array(later), pa.array(cells, FIELDS[name]))
    labels = [payment.metadata for payment in known]
    if any(one is not None for one in labels):  # `replace_with_mask` takes no maps
        source = np.arange(len(later))
        source[later] = np.arange(len(later), len(later) + len(labels))
        both = pa.concat_arrays([columns["metadata"], pa.array(labels, METADATA_COLUMN)])
        columns["metadata"] = both.take(pa.array(source))


def _in_closed_period(columns: dict[str, pa.Array], rows: PrefetchingRows) -> np.ndarray:
    """Return which commands have a time in a closed period of their tenant."""
    tenants = columns["tenant_id"].dictionary_encode()
    keys = [closed_key(tenant) for tenant in tenants.dictionary.to_pylist()]
    found = zip(keys, rows.get_many(keys), strict=True)
    closed = np.array([-(2**63) if row is None else unpack_number(key, row) for key, row in found], np.int64)
    within: np.ndarray = numpy_of(columns["occurred_at"]) <= closed[numpy_of(tenants.indices)]
    return within


def _repeats(
    columns: dict[str, pa.Array],
    kinds: np.ndarray,
    positions: np.ndarray,
    first: np.ndarray,
    place: np.ndarray,
    found: list[bytes | None],
    regular: np.ndarray,
    ended: dict[int, int],
) -> tuple[dict[int, str], dict[int, int]]:
    """Return the answers to repeated payment ids, and which commands of the run they repeat.

    Puts into `ended` when the payments have ended.
    """
    answers: dict[int, str] = {}
    repeat_of: dict[int, int] = {}
    for position in positions.tolist():
        row, earlier = found[place[position]], int(first[position])
        if row is not None:
            before = unpack_payment(row)
            if before.ended_at is not None:
                ended[position] = before.ended_at
        elif kinds[earlier] == DECIDED:
            before = _payment_of(columns, earlier)
            repeat_of[position] = earlier
        else:
            regular[position] = False  # the first command of this payment did not create it
            continue
        answers[position] = answer_to_payment(before, content_of_row(_payment_of(columns, position)))
    return answers, repeat_of


def _payment_of(columns: dict[str, pa.Array], position: int) -> Payment:
    names = ("debtor_account_id", "creditor_account_id", "amount_minor", "currency", "reference",
             "payment_type", "hold_expires_at")  # fmt: skip
    content = {name: columns[name][position].as_py() for name in names}
    (content["metadata"],) = labels_of(columns["metadata"].slice(position, 1))
    return Payment(state="", code="", occurred_at=0, **content)


def labels_of(metadata: pa.Array) -> list[dict[str, str] | None]:
    """Return a column of metadata as rows have it."""
    if metadata.null_count == len(metadata):
        return [None] * len(metadata)
    return [None if one is None else dict(one) for one in metadata.to_pylist()]


def _with_accounts(
    run: Run,
    columns: dict[str, pa.Array],
    regular: np.ndarray,
    rows: PrefetchingRows,
    amount: np.ndarray,
    row_keys: pa.Array,
    payments: dict[int, Payment | None],
    answers: dict[int, str],
    repeat_of: dict[int, int],
    ended: dict[int, int],
    behind: dict[int, int],
) -> Facts:
    """Number the accounts of a run and read them."""
    count, kinds, tenant = len(run), run.kinds, columns["tenant_id"]
    currencies = columns["currency"].dictionary_encode()
    clearings = joined("/", tenant, columns["currency"]).dictionary_encode()
    both = [columns["debtor_account_id"], columns["creditor_account_id"]]
    parties = pa.concat_arrays([joined("/", tenant, ids) for ids in both]).dictionary_encode()
    names, number = parties.dictionary, numpy_of(parties.indices)
    first = np.empty(len(names), np.int64)
    first[number[::-1]] = np.arange(2 * count)[::-1]
    tenants, ids = tenant.take(first % count), pa.concat_arrays(both).take(first)
    proper = are_customers(names, tenants, ids)
    home = partitions_of(names, run.partitions)
    debtor, creditor = number[:count], number[count:]
    clearing = numpy_of(clearings.indices) + len(names)
    local = home[creditor] == run.partition

    unknown = np.zeros(count, bool)  # reviews and cancellations of unknown payments, without a creditor
    unknown[[position for position, payment in payments.items() if payment is None]] = True
    regular &= proper[debtor] & (proper[creditor] | unknown)
    is_leg = kinds == LEG_REQUESTED
    same = pc.fill_null(pc.equal(columns["account_id"], columns["creditor_account_id"]), False)
    regular &= ~is_leg | numpy_of(same)
    regular &= ~(local & ((kinds == LEG_POSTED) | (kinds == LEG_REFUSED)))
    regular &= (kinds == DECIDED) | (amount > 0) | unknown

    needed = np.zeros(len(names), bool)
    needed[debtor[~is_leg]] = True
    needed[creditor[is_leg | local]] = True
    accounts = with_clearing_accounts(
        tenants, ids, needed, clearings.dictionary, currencies.dictionary, run.partition, rows
    )
    special = accounts.table["flags"] != 0  # frozen, or with a maximum
    regular &= ~(special[debtor] | special[creditor])
    told = {int(number): newest_told(int(number), rows) for number in np.unique(home[debtor[is_leg]])}
    return Facts(
        run, columns, regular, accounts, debtor, creditor, clearing, local, amount,
        numpy_of(currencies.indices), row_keys, payments, answers, repeat_of, read_watermark(rows),
        next_due(rows), ended, behind, home[debtor], told, next_step(rows),
    )  # fmt: skip
