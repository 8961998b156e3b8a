"""Views of the history of one account: its balance at a time, its lines, a statement of a period.

    /balances/{tenant}/{account}?as_of=&known_at=   BALANCE_AT   by value time, as it was known at a time
    /history/{tenant}/{account}                     HISTORY      the lines, in the order of booking
    /statements/{tenant}/{account}?from=&to=        STATEMENT    opening balance, lines, closing balance

A question about a time before the first line raises NotFound, which states when the history starts.
"""

from __future__ import annotations

from pipeline.domain.history.rows import Head, Line, read_head
from pipeline.domain.history.stream import State, booked_by, earliest, read_lines, state_at
from pipeline.domain.history.zones import read_line
from pipeline.domain.kernel.accounts import ACCOUNT_TYPES
from pipeline.domain.kernel.rows import Rows
from pipeline.domain.kernel.views import (
    ACCOUNT,
    ACCOUNT_PAGE,
    AccountView,
    Answer,
    BadQuestion,
    NotFound,
    Question,
    Row,
    ViewPage,
    time_text,
)

_STATE = ("balance_minor", "held_minor", "available_minor")
_LINE_DIGITS_MAX = 12


class _Account:
    """The history of one account.

    Making one raises NotFound for an account without lines.
    """

    def __init__(self, rows: Rows, tenant_id: str, account_id: str) -> None:
        head = read_head(rows, tenant_id, account_id)
        if head is None:
            raise NotFound(f"no booking of {tenant_id}/{account_id} is known to the history stream")
        self.head: Head = head
        self._place = rows, tenant_id, account_id

    def about(self, **more: object) -> Row:
        """Return the fields of the account, and `more`."""
        _, tenant_id, account_id = self._place
        kind = ACCOUNT_TYPES[self.head.account_type]
        return {
            "tenant_id": tenant_id,
            "account_id": account_id,
            "account_type": kind,
            "currency": self.head.currency,
            "history_starts_at": time_text(self.starts_at),
            **more,
        }

    @property
    def starts_at(self) -> int:
        """When the first line was booked."""
        return read_line(*self._place, 0).booked_at

    def booked_by(self, time: int | None) -> int:
        """Return how many lines were booked by a time (None: so far)."""
        return self.head.lines if time is None else booked_by(*self._place, self.head.lines, time)

    def state(self, lines: int, as_of: int | None = None) -> State | None:
        """Return the state of the account after its first lines, as `stream.state_at`."""
        return state_at(*self._place, lines, as_of)

    def page(self, question: Question, start: int, stop: int) -> tuple[list[Row], str | None]:
        """Return the lines of a page, and the number of its last line if more follow.

        `start` and `stop`: the range of lines of all pages. Raises BadQuestion for a wrong `after`.
        """
        after = question.after
        if after is not None:
            if not (after.isascii() and after.isdigit() and len(after) <= _LINE_DIGITS_MAX):
                raise BadQuestion("after: must be the number of a line")
            start = max(start, int(after) + 1)
        end = min(stop, start + question.limit)
        lines = [
            _line_row(number, line, self.head.currency)
            for number, line in read_lines(*self._place, start, end)
        ]
        return lines, str(end - 1) if end < stop else None

    def not_before(self, lines: int) -> NotFound:
        """Return the error of a question about a time before the history starts."""
        what = f"{self._place[1]}/{self._place[2]}"
        if not lines:
            return NotFound(f"the history of {what} starts at {time_text(self.starts_at)} (time of booking)")
        first = time_text(earliest(*self._place, lines))
        return NotFound(f"the history of {what}, as known then, starts at {first} (value time)")


def _line_row(number: int, line: Line, currency: str) -> Row:
    return {
        "line": number,
        "booked_at": time_text(line.booked_at),
        "effective_at": time_text(line.effective_at),
        "kind": line.kind,
        "currency": currency,
        "booked_minor": line.posted,
        "held_change_minor": line.held,
        "balance_minor": line.balance_minor,
        "held_minor": line.held_minor,
        "available_minor": line.balance_minor - line.held_minor,
        "entry_id": line.entry_id or None,
        "record_id": line.record_id,
        "payment_id": line.payment_id,
        "reference": line.reference,
        "correlation_id": line.correlation_id,
    }


_LINE_COLUMNS = (
    *("line", "booked_at", "effective_at", "kind", "currency", "booked_minor", "held_change_minor", *_STATE),
    *("entry_id", "record_id", "payment_id", "reference", "correlation_id"),
)


def _state_row(state: State | None) -> Row:
    balance, held = (0, 0) if state is None else (state.balance_minor, state.held_minor)
    return dict(zip(_STATE, (balance, held, balance - held), strict=True))


def _balance_at(rows: Rows, tenant_id: str, account_id: str, question: Question) -> Answer:
    account = _Account(rows, tenant_id, account_id)
    as_of, known_at = map(question.times.get, ("as_of", "known_at"))
    lines = account.booked_by(known_at)
    state = account.state(lines, as_of)
    if state is None:
        raise account.not_before(lines)
    times = {"as_of": time_text(as_of), "known_at": time_text(known_at)}
    return Answer(account.about(**times, **_state_row(state), lines=lines), [], None)


def _history(rows: Rows, tenant_id: str, account_id: str, question: Question) -> Answer:
    account = _Account(rows, tenant_id, account_id)
    lines, following = account.page(question, 0, account.head.lines)
    return Answer(account.about(lines=account.head.lines), lines, following)


def _statement(rows: Rows, tenant_id: str, account_id: str, question: Question) -> Answer:
    """Return the lines booked from `from` up to but not including `to`, and the balances at both ends."""
    account = _Account(rows, tenant_id, account_id)
    start_at, stop_at = map(question.times.get, ("from", "to"))
    if start_at is not None and stop_at is not None and stop_at <= start_at:
        raise BadQuestion("to: must be after from")
    start = 0 if start_at is None else account.booked_by(start_at - 1)
    stop = account.booked_by(None if stop_at is None else stop_at - 1)
    if not stop:
        raise account.not_before(0)
    lines, following = account.page(question, start, stop)
    about = account.about(
        **{"from": time_text(start_at), "to": time_text(stop_at), "lines": stop - start},
        opening=_state_row(account.state(start)),
        closing=_state_row(account.state(stop)),
    )
    return Answer(about, lines, following)


def _statement_table(question: Question, answer: Answer) -> list[Row]:
    """Return a statement as lines: it begins with its opening balance and ends with its closing one."""
    nothing = dict.fromkeys(_LINE_COLUMNS) | {"currency": answer.about["currency"]}
    rows = list(answer.lines)
    if question.after is None:
        opening = {"kind": "OPENING", "booked_at": answer.about["from"], **answer.about["opening"]}
        rows.insert(0, nothing | opening)
    if answer.following is None:
        closing = {"kind": "CLOSING", "booked_at": answer.about["to"], **answer.about["closing"]}
        rows.append(nothing | closing)
    return rows


BALANCE_AT = AccountView(
    name="balances",
    table="history",
    columns=(
        *(*ACCOUNT, "account_type", "currency", "as_of", "known_at", *_STATE),
        *("lines", "history_starts_at"),
    ),
    times=("as_of", "known_at"),
    ask=_balance_at,
    as_table=lambda question, answer: [answer.about],
    pages=(ViewPage(ACCOUNT_PAGE, "at another time with ?as_of=&known_at="),),
    paged=False,
)
"""Answers on the path of the account's balance if one of its times is given."""
HISTORY = AccountView(
    name="history",
    table="history",
    columns=_LINE_COLUMNS,
    times=(),
    ask=_history,
    as_table=lambda question, answer: answer.lines,
    pages=(ViewPage(ACCOUNT_PAGE, "Every booking of one account, in their order"),),
)
STATEMENT = AccountView(
    name="statements",
    table="history",
    columns=_LINE_COLUMNS,
    times=("from", "to"),
    ask=_statement,
    as_table=_statement_table,
    pages=(ViewPage(ACCOUNT_PAGE, "Those of a span of time (?from=&to=), with the balances at both ends"),),
)
VIEWS = (BALANCE_AT, HISTORY, STATEMENT)
