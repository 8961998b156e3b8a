"""Which rows an event always needs: read at once for a run, before its events are applied."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.rows import row_key
from pipeline.domain.reconciliation.chain.inputs import Named, line_of, named
from pipeline.domain.reconciliation.chain.rows import content_key, history_key, series_key
from pipeline.domain.reconciliation.desk.broadcasts import Broadcast, key_of
from pipeline.domain.reconciliation.desk.rows import DESK_ROW, line_item, posting_item, row_of
from pipeline.domain.reconciliation.desk.time import CLOCK_KEY
from pipeline.domain.reconciliation.item_rows import ENDED, watermark_key


class LineRows(msgspec.Struct, frozen=True, gc=False):
    """A statement's line as the chain knows it, and the keys of its rows."""

    line: Named
    content: bytes
    series: bytes
    item: bytes

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The keys."""
        return self.content, self.series, self.item


def keys(event: Any) -> Iterable[bytes]:
    """Return the row keys that an event always needs."""
    if isinstance(event, ev.BranchTicked):
        return (CLOCK_KEY,)
    if isinstance(event, Broadcast):
        return CLOCK_KEY, key_of(event)
    account = event.tenant_id, event.account_id
    return (CLOCK_KEY, *keys_of_account(*account), *keys_of_item(event))


def keys_of_account(tenant_id: str, account_id: str) -> tuple[bytes, ...]:
    """Return the row keys that every event of an account needs."""
    account = tenant_id, account_id
    return watermark_key(*account), row_key(DESK_ROW.family, *account), ENDED.key(*account)


def keys_of_item(event: Any) -> tuple[bytes, ...]:
    """Return the row keys that a posting, a line or a closing needs besides; of other events none."""
    account = event.tenant_id, event.account_id
    if isinstance(event, ev.PostingRecorded):
        return (row_of(row_key("", *account), posting_item(event.posting_id)),)
    if isinstance(event, ev.StatementLine):
        return rows_of_line(event).keys
    if isinstance(event, ev.StatementClosed):
        return series_key(account, event.currency, event.statement_id), history_key(account, event.currency)
    return ()


def rows_of_line(event: ev.StatementLine) -> LineRows:
    """Return a statement's line as the chain knows it, and the keys of the rows that it needs."""
    account = event.tenant_id, event.account_id
    line = named(line_of(event))
    return LineRows(
        line,
        content_key(account, line.line.content),
        series_key(account, event.currency, event.statement_id),
        row_of(row_key("", *account), line_item(line.key.decode())),
    )
