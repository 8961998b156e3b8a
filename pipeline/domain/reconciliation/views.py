"""The views of reconciliation: breaks, figures, items, statements.

/breaks                     open and ended breaks
/reconciliation/summary     figures of each day of an account        /reconciliation/ages   open breaks
/reconciliation/postings    /reconciliation/lines                    items, and what they match
/reconciliation/statements  /reconciliation/chain                    statements by id, and in their order
"""

from __future__ import annotations

from itertools import islice

from pipeline.domain.kernel.rows import Rows, row_key
from pipeline.domain.kernel.views import (
    ACCOUNT,
    ACCOUNT_PAGE,
    TENANT_PAGE,
    AccountView,
    Answer,
    NotFound,
    Question,
    Row,
    Tables,
    TableView,
    ViewPage,
    time_text,
)
from pipeline.domain.reconciliation.breaks.rows import DAY_ROW, LIFE_ROW, unpack_life
from pipeline.domain.reconciliation.breaks.views import (
    BREAKS_MAX,
    ENDED,
    OPEN,
    show_break,
    show_day,
    show_open,
)
from pipeline.domain.reconciliation.chain.rows import HISTORY_ROW, SERIES_ROW
from pipeline.domain.reconciliation.chain.views import show_chain, show_statements
from pipeline.domain.reconciliation.desk.rows import Watermark, read
from pipeline.domain.reconciliation.desk.views import STANDING, TABLE, show_line, show_posting
from pipeline.domain.reconciliation.item_rows import LINE_ROW, POSTING_ROW, WATERMARK_ROW, watermark_key

MARKER = WATERMARK_ROW.family


def _reached(rows: Rows, tenant_id: str, account_id: str) -> int | None:
    """Return the event time of an account, microseconds UTC; None: it has had no event."""
    found = read(rows, watermark_key(tenant_id, account_id), Watermark)
    return None if found is None else found.reached_at


def _break(tables: Tables, key: tuple[str, ...], value: bytes) -> Row:
    life = unpack_life(value)
    return show_break(key, life, _reached(tables.rows(TABLE), *key[:2]) or life.opened_at)


def _day(tables: Tables, key: tuple[str, ...], value: bytes) -> Row:
    return show_day(key, value)


def _ages(rows: Rows, tenant_id: str, account_id: str, question: Question) -> Answer:
    reached_at = _reached(rows, tenant_id, account_id)
    if reached_at is None:
        raise NotFound(f"{tenant_id}/{account_id} is not known to the reconciliation stream")
    found = list(islice(rows.scan(row_key(LIFE_ROW.family, tenant_id, account_id, "")), BREAKS_MAX + 1))
    about = {
        "tenant_id": tenant_id,
        "account_id": account_id,
        "reached_at": time_text(reached_at),
        "is_complete": len(found) <= BREAKS_MAX,
        "open": show_open((unpack_life(value) for _, value in found[:BREAKS_MAX]), reached_at),
    }
    return Answer(about, [], None)


def _ages_table(question: Question, answer: Answer) -> list[Row]:
    account = {name: answer.about[name] for name in ACCOUNT}
    return [{**account, **row} for row in answer.about["open"]]


BREAKS = TableView(
    name="breaks",
    table=TABLE,
    family=LIFE_ROW.family,
    key=(*ACCOUNT, "break_id"),
    columns=(
        *(*ACCOUNT, "break_id", "type", "kind", "meaning", "state", "status", "assignee", "priority"),
        *("materiality", "age_days", "age", "amount_minor", "difference_minor", "explained_minor"),
        *("currency", "statement_id", "line_no", "line_id", "posting_id", "counterparts", "detail"),
        *("opened_at", "changed_at", "actions", "correction", "refused", "resolution", "journal_id"),
    ),
    show=_break,
    pages=(
        ViewPage(TENANT_PAGE, "Reconciliation breaks of a tenant, open and ended"),
        ViewPage(ACCOUNT_PAGE, "Breaks of one account"),
        ViewPage(f"{ACCOUNT_PAGE}/{{break}}", "One break: its kind, age, items, who has it, its correction"),
    ),
    marker=MARKER,
    states=(OPEN, ENDED),
)
SUMMARY = TableView(
    name="reconciliation/summary",
    table=TABLE,
    family=DAY_ROW.family,
    key=(*ACCOUNT, "currency", "day"),
    columns=(
        *(*ACCOUNT, "currency", "day", "lines", "postings", "statements", "unsound_statements"),
        *("announced_lines", "completeness_ppm", "match_rate_ppm", "match_rate_by_tier_ppm", "value_minor"),
        *("cleared_minor", "clearing_ppm", "explained_minor", "explainability_ppm", "open"),
    ),
    show=_day,
    pages=(
        ViewPage(TENANT_PAGE, "Figures of each day of a tenant's accounts: completeness, matches, clearing"),
        ViewPage(ACCOUNT_PAGE, "Those of one account"),
    ),
    marker=MARKER,
)
AGES = AccountView(
    name="reconciliation/ages",
    table=TABLE,
    columns=(*ACCOUNT, "currency", "age", "kind", "breaks", "at_stake_minor"),
    times=(),
    ask=_ages,
    as_table=_ages_table,
    pages=(ViewPage(ACCOUNT_PAGE, "How many breaks are open, and what is at stake, by age and kind"),),
    paged=False,
)
POSTINGS = TableView(
    name="reconciliation/postings",
    table=TABLE,
    family=POSTING_ROW.family,
    key=(*ACCOUNT, "posting_id"),
    columns=(
        *(*ACCOUNT, "posting_id", "currency", "amount_minor", "posted_on", "sequence", "references"),
        *STANDING,
    ),
    show=show_posting,
    pages=(
        ViewPage(TENANT_PAGE, "Postings of a tenant's nostro accounts, and what they match"),
        ViewPage(ACCOUNT_PAGE, "Those of one account"),
        ViewPage(f"{ACCOUNT_PAGE}/{{posting}}", "One of them"),
    ),
    marker=MARKER,
)
LINES = TableView(
    name="reconciliation/lines",
    table=TABLE,
    family=LINE_ROW.family,
    key=(*ACCOUNT, "line_id"),
    columns=(
        *(*ACCOUNT, "line_id", "statement_id", "line_no", "currency", "amount_minor", "booked_on"),
        *("value_on", "kind", "references", "fee_minor", "original", *STANDING),
    ),
    show=show_line,
    pages=(
        ViewPage(TENANT_PAGE, "Lines of a tenant's statements, and what they match"),
        ViewPage(ACCOUNT_PAGE, "Those of one account"),
        ViewPage(f"{ACCOUNT_PAGE}/{{line}}", "One of them"),
    ),
    marker=MARKER,
)
STATEMENTS = TableView(
    name="reconciliation/statements",
    table=TABLE,
    family=SERIES_ROW.family,
    key=(*ACCOUNT, "currency", "statement_id"),
    columns=(*ACCOUNT, "currency", "statement_id", "statements", "repeated_lines"),
    show=show_statements,
    pages=(
        ViewPage(TENANT_PAGE, "Statements of a tenant by their ids: balances, lines, whether they are sound"),
        ViewPage(ACCOUNT_PAGE, "Those of one account"),
    ),
    marker=MARKER,
)
CHAIN = TableView(
    name="reconciliation/chain",
    table=TABLE,
    family=HISTORY_ROW.family,
    key=(*ACCOUNT, "currency"),
    columns=(*ACCOUNT, "currency", "statements", "older_pages", "known_from", "is_stale"),
    show=show_chain,
    pages=(
        ViewPage(TENANT_PAGE, "The order of a tenant's statements, by account and currency"),
        ViewPage(ACCOUNT_PAGE, "That of one account: the newest 64 to 128 closed statements"),
    ),
    marker=MARKER,
)
VIEWS = (BREAKS, SUMMARY, AGES, POSTINGS, LINES, STATEMENTS, CHAIN)
