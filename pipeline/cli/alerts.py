"""`ledgerflow alerts`: payments that are held or refused, why, and what is known of both sides.

the view /alerts -> payments of one alert together -> with /fraud-debtors and /fraud-payees beside them
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Any
from urllib.parse import quote

import typer

from pipeline.cli.amounts import money
from pipeline.cli.asking import NotFound, Url, ask
from pipeline.cli.options import Data, Json
from pipeline.cli.reach import settings_for
from pipeline.cli.screen import Table, screen
from pipeline.cli.sending import urls_to_ask
from pipeline.domain.fraud.features.catalogue import CATALOGUE
from pipeline.domain.kernel.amounts import MINOR

PAGE = "1000"
HELD = "held"
"""The state of a payment that waits for a person."""
OUTCOMES = {"REVIEW": "held for review", "DECLINE": "refused"}
MODELS = {"model": "model", "anomaly": "anomaly model"}
Row = dict[str, Any]


def alerts(
    place: Annotated[str, typer.Argument(metavar="TENANT[/ACCOUNT]", show_default=False)],
    only_open: Annotated[
        bool, typer.Option("--open", help="Only alerts with a payment that still waits for a review.")
    ] = False,
    url: Url = None,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Show a tenant's alerts, newest last; of one account with reasons, and what is known of both sides.

    Payments of an account within an hour are one alert. With --json one object per alert.
    """
    urls, (tenant_id, slash, account_id) = urls_to_ask(url, settings_for(data)), place.partition("/")
    found = together(pages(urls, tenant_id, account_id if slash else None))
    if only_open:
        found = [alert for alert in found if any(row["payment_state"] == HELD for row in alert)]
    if as_json:
        for alert in found:
            said = {"alert_id": alert[0]["alert_id"], "payments": alert}
            typer.echo(json.dumps(said, ensure_ascii=False))
    elif slash:
        for alert in found:
            _show(alert)
        _sides(found, urls)
    else:
        _list(found)
    payments = sum(map(len, found))
    waiting = sum(row["payment_state"] == HELD for alert in found for row in alert)
    whole = f"{_many(len(found), 'alert')} on {_many(payments, 'payment')}"
    typer.echo(f"{whole}, of which {waiting:,} wait for a review", err=True)


def pages(urls: list[str], tenant_id: str, account_id: str | None) -> list[Row]:
    """Return the rows of the view of alerts. Raises Failed, NotFound, BadInput."""
    parameters, found = {"limit": PAGE}, []
    if account_id is None:
        path, parameters["tenant"] = "/alerts", tenant_id
    else:
        path = f"/alerts/{quote(tenant_id, safe='')}/{quote(account_id, safe='')}"
    while True:
        page = ask(urls, path, parameters)
        found += page["data"]
        if page.get("next") is None:
            return found
        names = (found[-1][name] for name in ("tenant_id", "account_id", "payment_id"))
        parameters["after"] = "/".join(quote(name, safe="") for name in names)


def together(rows: Iterable[Row]) -> list[list[Row]]:
    """Return the payments of each alert in order of time, the alert with the newest payment last."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        # An earlier version raised an alert for each payment alone.
        found.setdefault((row["account_id"], row["alert_id"] or row["payment_id"]), []).append(row)
    told = [sorted(alert, key=lambda row: str(row["decided_at"])) for alert in found.values()]
    return sorted(told, key=lambda alert: (str(alert[-1]["decided_at"]), str(alert[-1]["account_id"])))


def _list(found: list[list[Row]]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("newest", "account", "payments", "amount", "outcome", "score", "state", "why"):
        justify: Any = "right" if heading in ("payments", "amount", "score") else "left"
        table.add_column(heading, justify=justify, no_wrap=heading not in ("account", "why"))
    for alert in found:
        worst = max(alert, key=_badness)
        states = {row["payment_state"] or "not known yet" for row in alert}
        table.add_row(
            _minute(alert[-1]["decided_at"]),
            str(worst["account_id"]),
            str(len(alert)),
            ", ".join(_sums(alert)),
            OUTCOMES.get(worst["outcome"], str(worst["outcome"])),
            str(worst["score"]),
            HELD if HELD in states else ", ".join(sorted(states)),
            ", ".join(_rules(alert)),
        )
    screen().print(table, markup=False)


def _show(alert: list[Row]) -> None:
    """Show one alert: its payments with all reasons."""
    first, shown = alert[0], screen()
    whole = f"{len(alert)} payments, {', '.join(_sums(alert))}" if len(alert) > 1 else "one payment"
    shown.print(f"alert {first['alert_id'] or first['payment_id']}: {whole}", markup=False)
    for row in alert:
        amount = money(row["amount_minor"], row["currency"])
        said = f"{_second(row['decided_at'])}  {row['payment_id']}  {amount} to {row['creditor_account_id']}"
        outcome = OUTCOMES.get(row["outcome"], str(row["outcome"]))
        state = row["payment_state"] or "not known yet"
        shown.print(f"  {said}: {outcome}, score {row['score']}; now {state}", markup=False)
        table = Table(show_header=False, box=None, pad_edge=False)
        for reason in row["reasons"]:
            table.add_row("   ", *in_words(reason["rule"], reason["detail"]))
        shown.print(table, markup=False)
        shown.print(f"    decided by {row['rules_version']}", markup=False)
    shown.print("", markup=False)


def _sides(found: list[list[Row]], urls: list[str]) -> None:
    """Show what is known of the account, and of those that it pays, each once."""
    rows = [row for alert in found for row in alert]
    for row in rows[:1]:
        known = _known(urls, "fraud-debtors", row["tenant_id"], row["account_id"])
        screen().print(f"payer {row['account_id']}: {known}", markup=False)
    for tenant_id, payee in dict.fromkeys((row["tenant_id"], row["creditor_account_id"]) for row in rows):
        known = _known(urls, "fraud-payees", tenant_id, payee)
        screen().print(f"payee {payee}: {known}", markup=False)


def in_words(rule: str, detail: str) -> tuple[str, str]:
    """Return a reason for people: the rule by its name, of a model what its feature means."""
    kind, colon, name = rule.partition(":")
    feature = CATALOGUE.get(name) if colon and kind in MODELS else None
    if feature is not None:
        meaning = feature.meaning.partition(";")[0]
        return MODELS[kind], f"{meaning} ({name}): {detail.removeprefix(name).strip()}"
    if colon and kind == "list":
        return f"list {name}", detail
    return rule.partition("@")[0], detail


def _known(urls: list[str], view: str, tenant_id: str, account_id: str) -> str:
    try:
        row = ask(urls, f"/{view}/{quote(tenant_id, safe='')}/{quote(account_id, safe='')}")["data"]
    except NotFound:
        return "nothing is known yet"
    return _as_payer(row) if view == "fraud-debtors" else _as_payee(row)


def _as_payer(row: Row) -> str:
    usual, largest = (_euros(row[f"{name}_amount_eur{MINOR}"]) for name in ("usual", "largest"))
    known = row["usual_amount_eur_minor"] is not None
    said = (
        f"pays since {_minute(row['first_paid_at'])}",
        f"{_many(row['approved_payments'], 'approved payment')}, {_frauds(row['confirmed_frauds'])}",
        f"usually {usual}, at most {largest}" if known else "no usual amount yet",
        f"{_many(row['payments_24h'], 'payment')} of {_euros(row['amount_24h_eur_minor'])} in its last day",
        f"{_many(row['payees_30d'], 'payee')} and {_many(row['devices_30d'], 'device')} in 30 days",
    )
    return "; ".join(said)


def _as_payee(row: Row) -> str:
    if not row["receipts"]:
        return f"has received nothing; {_frauds(row['confirmed_frauds'])}"
    day = f"{_many(row['receipts_24h'], 'receipt')} of {_euros(row['amount_24h_eur_minor'])}"
    said = (
        f"paid since {_minute(row['first_received_at'])}",
        f"{_many(row['receipts'], 'receipt')}, {_frauds(row['confirmed_frauds'])}",
        f"{day} from {_many(row['payers_24h'], 'payer')} in its last day",
        f"{_many(row['payers_7d'], 'payer')} in a week",
    )
    return "; ".join(said)


def _frauds(number: int) -> str:
    return _many(number, "confirmed fraud") if number else "no confirmed fraud"


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _euros(minor: int | None) -> str:
    return "unknown" if minor is None else money(minor, "EUR")


def _badness(row: Row) -> tuple[bool, int]:
    return row["outcome"] == "DECLINE", row["score"]


def _sums(alert: list[Row]) -> list[str]:
    sums: dict[str, int] = {}
    for row in alert:
        sums[row["currency"]] = sums.get(row["currency"], 0) + row["amount_minor"]
    return [money(minor, currency) for currency, minor in sums.items()]


def _rules(alert: list[Row]) -> list[str]:
    """Return the names of the rules of an alert, and `model` where one moved it; each once, in order."""
    names = (in_words(reason["rule"], "")[0] for row in alert for reason in row["reasons"])
    return list(dict.fromkeys(names))


def _minute(time: str | None) -> str:
    return "an unknown time" if time is None else f"{time[:10]} {time[11:16]}"


def _second(time: str) -> str:
    return f"{time[:10]} {time[11:19]}"
