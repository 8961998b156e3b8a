"""What a view is: a declaration of rows that are shown, as what, and on which pages; the web serves it.

    TableView     rows of one family of a table: a list, those of an account, one row
    AccountView   questions about one account that take more than its row, such as its past

Both stand in their concept's `views.py`, and its topology names them: routes, index and reference follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol

from pipeline.domain.kernel.rows import Rows

Row = dict[str, Any]
"""What is shown of a row: a JSON object, or a line of CSV under `columns`."""
ACCOUNT = ("tenant_id", "account_id")
TENANT_PAGE = ""
"""The page of a view's own name: a list of one tenant."""
ACCOUNT_PAGE = "/{tenant}/{account}"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NotFound(LookupError):
    """What is asked for is not there; the text says what, and why."""


class BadQuestion(ValueError):
    """A question that has no answer; the text starts with the name of the wrong parameter."""


class Tables(Protocol):
    """The tables of one partition, committed rows only."""

    def rows(self, table: str) -> Rows:
        """Return the rows of a table. Raises where they cannot be read now."""
        ...

    def rows_or_none(self, table: str) -> Rows | None:
        """Return the rows of a table, None where they cannot be read now."""
        ...


class Page(NamedTuple):
    """A page of a view."""

    path: str
    """What follows the view's name: nothing, or a slash and the parts of a key in braces."""
    about: str
    """What it shows, for the index and the reference."""


class Owner(NamedTuple):
    """Whose a row is that is known by an id alone: several accounts may use the same id."""

    field: str
    """The column that names the account."""
    parameter: str
    """The parameter that asks for the row of one account."""
    subject: str
    """What the row is about, such as payment."""


class TableView(NamedTuple):
    """A view of one row family of one table."""

    name: str
    """The first part of its paths."""
    table: str
    family: str
    key: tuple[str, ...]
    """The fields that a row's key consists of; `key` in paths and in `after` is them, joined by slashes."""
    columns: tuple[str, ...]
    show: Callable[[Tables, tuple[str, ...], bytes], Row | None]
    """Returns what is shown of a row (its partition, the parts of its key, its value), None for nothing."""
    pages: tuple[Page, ...]
    marker: str
    """Row family of the table that knows every account which this view can have rows of."""
    owner: Owner | None = None
    """Where keys name no account, so that a row may be on any partition."""
    states: tuple[str, ...] = ()
    """What `state` may ask a list for; none: it is no parameter."""


class Question(NamedTuple):
    """What is asked of an account."""

    times: Mapping[str, int] = {}
    """Times by the names of their parameters, microseconds UTC."""
    after: str | None = None
    """The number of the line behind which the page starts."""
    limit: int = 100
    """Lines at most."""


class Answer(NamedTuple):
    """What is said of an account."""

    about: Row
    lines: list[Row]
    following: str | None
    """The number of the last line of this page, None on the last page."""


class AccountView(NamedTuple):
    """A view of one account that is worked out from many rows of a table."""

    name: str
    table: str
    columns: tuple[str, ...]
    times: tuple[str, ...]
    """The times it takes as parameters."""
    ask: Callable[[Rows, str, str, Question], Answer]
    """Returns the answer about (tenant, account). Raises NotFound and BadQuestion."""
    as_table: Callable[[Question, Answer], list[Row]]
    """Returns an answer as lines of CSV."""
    pages: tuple[Page, ...]
    paged: bool = True
    """Whether it has lines, and takes `limit` and `after`."""

    @property
    def key(self) -> tuple[str, ...]:
        """What is named in its path; with lines it is more than one row, so there is a part to come."""
        return (*ACCOUNT, "line") if self.paged else ACCOUNT

    @property
    def owner(self) -> None:
        """Nothing: its path names the account."""
        return None


View = TableView | AccountView


def time_text(micros: int | None) -> str | None:
    """Return microseconds UTC as ISO 8601; a time beyond the year 9999 as the number."""
    if micros is None:
        return None
    try:
        return (_EPOCH + timedelta(microseconds=micros)).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return str(micros)
