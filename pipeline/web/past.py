"""Answers questions about one account (`AccountView`), such as its past, from the partition that has it."""

from __future__ import annotations

import msgspec

from pipeline.domain.kernel.views import AccountView, Answer, BadQuestion, NotFound, Question, Row
from pipeline.web.committed import Partition
from pipeline.web.host import WebHost
from pipeline.web.problems import Problem
from pipeline.web.progress import Progress
from pipeline.web.scope import Scope


class AccountAnswer(msgspec.Struct):
    """The answer to a question about an account."""

    about: Row
    """The account and its balances: at the time asked for, or at both ends of a statement."""
    lines: list[Row]
    following: str | None
    """The number of the last line of this page, None on the last page."""
    progress: Progress


def past(app: WebHost, scope: Scope[AccountView], partition: int) -> AccountAnswer:
    """Return the answer of a partition of this worker.

    Raises `Problem`: 404 for an unknown account, 400 for a question that has no answer, 503 if the partition
    is not here.
    """
    here, table = Partition(app, partition), scope.view.table
    progress = here.progress(table)  # taken first: the rows are at least as new as it says
    tenant_id, account_id = scope.path[:2]
    try:
        answer = scope.view.ask(here.rows(table), tenant_id, account_id, _question(scope))
    except NotFound as error:
        raise Problem(404, str(error)) from None
    except BadQuestion as error:
        raise Problem(400, str(error)) from None
    return AccountAnswer(*answer, progress)


def table_rows(scope: Scope[AccountView], found: AccountAnswer) -> list[Row]:
    """Return an answer as lines of CSV."""
    return scope.view.as_table(_question(scope), Answer(found.about, found.lines, found.following))


def _question(scope: Scope[AccountView]) -> Question:
    query = scope.query
    return Question(query.times, query.after, query.limit)
