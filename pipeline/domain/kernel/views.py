"""Declarations of views: which rows are shown, in which form, under which paths. `pipeline.web` serves them.

    TableView     rows of one family of a table: a list, those of an account, one row
    AccountView   questions about one account that need many rows, such as its history

Views are defined in their concept's `views.py` and listed by its topology; routes, the index page and the
reference are made from these lists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, NamedTuple, Protocol

from pipeline.domain.kernel.rows import Rows
from pipeline.domain.kernel.times import EPOCH, NO_END

Row = dict[str, Any]
"""A row as it is shown: a JSON object, or a line of CSV with the view's `columns`."""
ACCOUNT = ("tenant_id", "account_id")
TENANT_PAGE = ""
"""The path directly under the view's name: a list of one tenant's rows."""
ACCOUNT_PAGE = "/{tenant}/{account}"


class NotFound(LookupError):
    """The requested thing does not exist; the text says what is missing, and why."""


class BadQuestion(ValueError):
    """The question is invalid; the text starts with the name of the wrong parameter."""


class Tables(Protocol):
    """The tables of one partition, committed rows only."""

    def rows(self, table: str) -> Rows:
        """Return the rows of a table. Raises where they cannot be read now."""
        ...

    def rows_or_none(self, table: str) -> Rows | None:
        """Return the rows of a table, None where they cannot be read now."""
        ...


class ViewPage(NamedTuple):
    """A path under a view's name, and its description."""

    path: str
    """What follows the view's name: nothing, or slashes and parts of the key in braces."""
    about: str
    """What it shows, for the index and the reference."""


class Owner(NamedTuple):
    """How to find the account of a row whose key has only an id: several accounts may use the same id."""

    field: str
    """The column that names the account."""
    parameter: str
    """The parameter that asks for the row of one account."""
    subject: str
    """What the row is about, such as payment."""


class TableView(NamedTuple):
    """A view of one row family of one table."""

    name: str
    """The first part of its paths, or several with slashes between them."""
    table: str
    family: str
    key: tuple[str, ...]
    """The fields of a row's key, in order; paths and `after` join their values by slashes."""
    columns: tuple[str, ...]
    show: Callable[[Tables, tuple[str, ...], bytes], Row | None]
    """(tables of the partition, parts of the key, value) -> the row as it is shown; None: it is not shown."""
    pages: tuple[ViewPage, ...]
    marker: str
    """A row family of the same table with a row for every account that the view can show."""
    owner: Owner | None = None
    """Set where keys begin with an id and not with an account, so that a row may be on any partition."""
    states: tuple[str, ...] = ()
    """Values of the parameter `state` of a list; empty: there is no such parameter."""

    @property
    def owner_in_key(self) -> bool:
        """Whether keys end in the account that `owner` names; rows of earlier versions may lack it."""
        return self.owner is not None and self.owner.field == self.key[-1]

    @property
    def item_parts(self) -> int:
        """How many parts the path of one row has: an owner is a parameter, and no part of it."""
        return len(self.key) - self.owner_in_key


class Question(NamedTuple):
    """The parameters of a question about an account."""

    times: Mapping[str, int] = {}
    """Times by the names of their parameters, microseconds UTC."""
    after: str | None = None
    """The page starts after the line of this number."""
    limit: int = 100
    """Lines at most."""


class Answer(NamedTuple):
    """The answer to a question about an account."""

    about: Row
    lines: list[Row]
    following: str | None
    """The number of the last line of this page, None on the last page."""


class AccountView(NamedTuple):
    """A view of one account that is computed from many rows of a table."""

    name: str
    table: str
    columns: tuple[str, ...]
    times: tuple[str, ...]
    """The names of its parameters that are times."""
    ask: Callable[[Rows, str, str, Question], Answer]
    """Returns the answer about (tenant, account). Raises NotFound and BadQuestion."""
    as_table: Callable[[Question, Answer], list[Row]]
    """Returns an answer as lines of CSV."""
    pages: tuple[ViewPage, ...]
    paged: bool = True
    """Whether it has lines, and takes `limit` and `after`."""

    @property
    def key(self) -> tuple[str, ...]:
        """The parts of its key; a view with lines shows many rows, so a line is part of the key."""
        return (*ACCOUNT, "line") if self.paged else ACCOUNT

    @property
    def item_parts(self) -> int:
        """How many parts the path of one line, or of the whole answer, has."""
        return len(self.key)

    @property
    def owner(self) -> None:
        """None: its path names the account."""
        return None


View = TableView | AccountView


def end_text(time: int | None) -> str | None:
    """Return `time_text` of the end of a hold; None for one without an end, too."""
    return None if time == NO_END else time_text(time)


def time_text(micros: int | None) -> str | None:
    """Return a time (microseconds UTC) as ISO 8601; the number itself where it is beyond the year 9999."""
    if micros is None:
        return None
    try:
        return (EPOCH + timedelta(microseconds=micros)).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return str(micros)
