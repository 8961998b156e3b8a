"""What a request asks of a view: one row, the rows of an account, or a list; and its URL."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar
from urllib.parse import quote, urlencode

from pipeline.domain.kernel.partitions import partition_of
from pipeline.domain.kernel.rows import row_key
from pipeline.domain.kernel.views import AccountView, TableView
from pipeline.web.problems import Problem
from pipeline.web.query import Query, row_key_of

_V = TypeVar("_V", bound=TableView | AccountView)


class Scope(NamedTuple, Generic[_V]):
    """A view, the parts of the path after the view's name, and the parameters."""

    view: _V
    path: tuple[str, ...]
    query: Query

    @property
    def is_item(self) -> bool:
        """Whether one row is asked for."""
        return self.path != () and len(self.path) == self.view.item_parts

    @property
    def _family(self) -> str:
        assert isinstance(self.view, TableView), "only rows have keys"
        return self.view.family

    @property
    def row_key(self) -> bytes:
        """The key of the row, where one is asked for."""
        return row_key(self._family, *self.path)

    @property
    def prefix(self) -> bytes:
        """The prefix of the row keys where several are asked for. Raises ValueError without a tenant."""
        tenant = self.query.tenant
        owner = self.path or (() if tenant is None else (tenant,))
        if not owner:
            raise ValueError("a list is of one tenant")  # `parse` has refused that
        return row_key(self._family, *owner, "")

    @property
    def after(self) -> bytes:
        """The row key after which the page starts; empty at the beginning.

        Raises `Problem` 400 for a key that is not in the list.
        """
        text = self.query.after
        if text is None:
            return b""
        key = row_key_of(self._family, text, len(self.view.key))
        if not key.startswith(self.prefix):
            raise Problem(400, "after: must be a row of this list, as `next` gives it")
        return key

    def partitions(self, count: int) -> list[int]:
        """Return the partitions, of `count`, that may have the rows. Raises `Problem` 404 if there is none.

        The ledger's internal accounts are on the branch in their name, all others on the partition of their
        key. A row whose key is an id only may be anywhere, unless its debtor or account is given.
        """
        by_id = self.view.owner is not None
        if not self.path or (by_id and self.query.owner is None):
            return list(range(count))
        tenant_id, account_id = self.path[:2]
        if by_id:
            return [partition_of(f"{tenant_id}/{self.query.owner}", count)]
        if not account_id.startswith("$"):
            return [partition_of(f"{tenant_id}/{account_id}", count)]
        branch = account_id.rpartition(":")[2]
        if not (branch.isascii() and branch.isdigit() and len(branch) <= 4 and int(branch) < count):
            raise Problem(404, "no such internal account")
        return [int(branch)]

    def link(self, after: str | None) -> str:
        """Return the path and parameters of this scope, with the page that starts after the key `after`."""
        path = "/".join((self.view.name, *(quote(part, safe="") for part in self.path)))
        parameters = {} if self.is_item else {"limit": str(self.query.limit)}
        given = {"tenant": self.query.tenant, "after": after, "format": "csv" if self.query.csv else None}
        given |= {"state": self.query.state}
        if self.view.owner is not None:
            given[self.view.owner.parameter] = self.query.owner
        given |= {name: str(time) for name, time in self.query.times.items()}
        parameters |= {name: value for name, value in given.items() if value is not None}
        return f"/{path}?{urlencode(parameters)}" if parameters else f"/{path}"
