"""Random commands for the ledger: a seeded source of everything that upstreams may send, right and wrong.

Most commands name a payment or a journal that there is and ask for what is possible. Some come again, name
what there is not, ask for too much, come late, or at the moment at which something ends.
What never changes: the commands of a seed are the same, whatever the ledger says of them; an event id stands
for one command, which may come twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

import msgspec

from pipeline.verify.model.wire import DAY_US, LONG_MAX, LONG_MIN
from tests.chaos.by_hand import NOW_US, Event, envelope
from tests.chaos.link_traffic import about_link, link
from tests.kernel.signed import signature

MINUTE_US = 60_000_000
ACCOUNTS = tuple(f"a{number}" for number in range(9))
CURRENCIES = {**dict.fromkeys(ACCOUNTS, "EUR"), "a7": "USD", "a8": "USD"}
STRANGERS = ("nobody", "$clearing:EUR:0", "", "a/b")
RATE_E8 = 110_000_000
"""Around which a euro is quoted in dollars."""
TENANT = "north"
LABELLED = ("AccountOpened", "PaymentDecided", "PaymentsLinkDecided", "JournalSubmitted")
"""What may have metadata."""
EXPECTING = (
    *("PaymentCaptured", "PaymentReviewed", "PaymentCancelled", "PaymentExtended", "PaymentReversed"),
    *("JournalConfirmed", "JournalVoided", "JournalReversed"),
)
"""What now and then expects a state of its account."""


class Command(NamedTuple):
    """What an upstream says, and Kafka's time of it."""

    event: str
    fields: dict[str, Any]
    at_us: int


class Asked(NamedTuple):
    """A payment or a journal that was asked for; its parts are capture ids or reversal ids."""

    subject: str
    account_id: str
    amount: int
    ends_at: int | None
    legs: list[dict[str, Any]]


@dataclass
class Traffic:
    """An endless sequence of commands. Time goes on by minutes, and now and then by days."""

    rng: Random
    now_us: int = NOW_US
    payments: list[Asked] = field(default_factory=list)
    journals: list[Asked] = field(default_factory=list)
    links: list[tuple[str, str, list[str]]] = field(default_factory=list)
    """The last links: id, debtor, ids of payments."""
    said: list[Event] = field(default_factory=list)
    """The last commands, to be repeated."""
    frozen: list[str] = field(default_factory=list)
    """Accounts to be freed again."""
    count: int = 0
    turn: int = 0
    """How many commands there were, rates included."""

    def opening(self) -> Iterator[Command]:
        """Yield the commands that open the accounts."""
        for account in ACCOUNTS:
            yield self._now(*self._open(account))

    def __iter__(self) -> Iterator[Command]:
        return self

    def __next__(self) -> Command:
        self.turn += 1
        chance = Random(f"rate {self.turn}")  # of its own: the others of a seed stay as they are
        if chance.random() < 0.04:
            return self._quote(chance)
        self.now_us += self.rng.choice((0, 1, 1000, MINUTE_US // 60, MINUTE_US, 3 * MINUTE_US))
        if self.rng.random() < 0.004:
            self.now_us += self.rng.choice((DAY_US, 3 * DAY_US, 40 * DAY_US))
        if self.said and self.rng.random() < 0.1:
            again = self.rng.choice(self.said)
            return self._now(*(again if self.rng.random() < 0.6 else self._otherwise(*again)))
        made = self.rng.choices(KINDS, WEIGHTS)[0](self)
        self.said = [*self.said[-30:], made]
        return self._now(*made)

    def _otherwise(self, kind: str, fields: dict[str, Any]) -> Event:
        """Return a command under the ids of an earlier one, which says something else in one field."""
        one, other = self._amount(), self.rng.choice((None, self._end()))
        changes = {
            "amount_minor": one,
            "payment_type": "deposit",
            "reference": "other",
            "reason": "other",
            "hold_expires_at": other,
            "effective_at": other,
            "late": "REFUSE",
            "side": "DEBIT",
            "final": not fields.get("final"),
            "legs": (fields.get("legs") or [])[::-1][:2],
            "payments": fields.get("payments", [])[::-1][:2],
            "creditor_account_id": self._account(),
            "overdraft_limit_minor": abs(one),
        }
        if kind == "PaymentExtended":
            changes["hold_expires_at"] = self._end()
        found = [name for name in changes if name in fields]
        name = self.rng.choice(found) if found else "correlation_id"
        return kind, {**fields, name: changes.get(name, "another")}

    # --- parts of commands

    def _now(self, event: str, fields: dict[str, Any]) -> Command:
        return Command(event, fields, self.now_us + self.rng.choice((0, 0, 1000, MINUTE_US)))

    def _event(self, kind: str, **fields: Any) -> Event:
        """Return an event with an id of its own; it may have happened late, or (says the upstream) later."""
        self.count += 1
        late = self.rng.choices((0, MINUTE_US, 3 * DAY_US, 91 * DAY_US, -3 * DAY_US), (80, 20, 4, 1, 1))[0]
        times = {"occurred_at": self.now_us - late, "correlation_id": f"c{self.count % 7}"}
        names = ("actor", "metadata") if kind in LABELLED else ("actor",)
        chance = Random(f"expects {self.count}")  # of its own, as in `_part`
        if kind in EXPECTING and chance.random() < 0.04:
            fields = {**fields, "expected_sequence": chance.randrange(30)}
        said = msgspec.to_builtins(signature(f"e{self.count}", names))
        return kind, {**envelope(f"e{self.count}"), **times, **fields, **said}

    def _name(self, kind: str) -> str:
        """Return an id that is new, or now and then one that was used, for the same or for something else."""
        if self.rng.random() < 0.04:
            return f"{kind}{self.rng.randrange(self.count + 1)}"
        return f"{kind}{self.count}"

    def _amount(self) -> int:
        usual = self.rng.randrange(1, 60)
        return self.rng.choices((usual, 0, -usual, 10_000, LONG_MAX, LONG_MIN), (200, 2, 2, 4, 1, 1))[0]

    def _account(self, currency: str = "EUR") -> str:
        if self.rng.random() < 0.01:
            return self.rng.choice(STRANGERS[:1])
        return self.rng.choice([name for name in ACCOUNTS if CURRENCIES[name] == currency])

    def _end(self) -> int:
        """Return when a hold ends: soon, later, or just before or after what comes next."""
        after = (1, MINUTE_US, 10 * MINUTE_US, 60 * MINUTE_US, DAY_US, 30 * DAY_US, -1, 0)
        return self.now_us + self.rng.choices(after, (1, 2, 10, 20, 20, 5, 1, 1))[0]

    def _of(self, asked: list[Asked]) -> Asked:
        """Return something that was asked for; most often lately."""
        if not asked or self.rng.random() < 0.01:
            return Asked("unknown", self._account(), 1, None, [])
        found = self.rng.choice(asked[-12:] if self.rng.random() < 0.9 else asked)
        if self.rng.random() < 0.02:
            found = found._replace(account_id=self._account())
        if found.ends_at is not None and self.rng.random() < 0.04:
            at = found.ends_at + self.rng.choice((-1, 0, 1))
            self.now_us = at if self.now_us < at < self.now_us + 120 * MINUTE_US else self.now_us
        return found

    # --- accounts

    def _open(self, account: str) -> Event:
        fields = {"account_type": "nostro" if account == "a3" else "checking", "account_id": account}
        fields |= {"currency": CURRENCIES.get(account, "EUR"), "customer_id": "x"}
        limit, balance = self.rng.choice((0, 0, 100, None)), self.rng.choice((*[400] * 9, self._amount()))
        money = {"initial_balance_minor": balance, "overdraft_limit_minor": limit}
        return self._event("AccountOpened", **fields, **money)

    def open_again(self) -> Event:
        return self._open(self._account())

    def limit(self) -> Event:
        overdraft, minimum = self.rng.choice(
            ((0, None), (0, 50), (100, None), (None, None), (0, 0), (5, 5), (-1, 1))
        )
        at = self.rng.choice((None, self._end(), self._end()))
        maximum = self.rng.choice((None, None, None, 500, 900, 100_000, 100_000, -1))
        account = STRANGERS[0] if self.rng.random() < 0.03 else self._account()
        limits = {"minimum_balance_minor": minimum, "maximum_balance_minor": maximum, "effective_at": at}
        return self._event("AccountLimitSet", account_id=account, overdraft_limit_minor=overdraft, **limits)

    def freeze(self) -> Event:
        account, side = self._account(), self.rng.choice(("DEBIT", "CREDIT", "BOTH"))
        self.frozen.append(account)
        until = (None, self.now_us + 7 * MINUTE_US, self.now_us + DAY_US)[self.count % 3]
        return self._event("AccountFrozen", account_id=account, side=side, reason="why", until=until)

    def unfreeze(self) -> Event:
        side = self.rng.choice(("DEBIT", "CREDIT", "BOTH", "BOTH", "BOTH"))
        account = self.frozen.pop() if self.frozen else self._account()
        return self._event("AccountUnfrozen", account_id=account, side=side, reason="why")

    def close(self) -> Event:
        return self._event("AccountClosed", account_id=self._account(), reason="fraud")

    def reopen(self) -> Event:
        return self._event("AccountReopened", account_id=self._account(), reason="why")

    def end_period(self) -> Event:
        until = self.now_us - self.rng.choice((MINUTE_US, DAY_US, 10 * DAY_US))
        period = self.rng.choice(("2026-01", "2026-02", f"period {self.count}"))
        return self._event("PeriodClosed", period_id=period, closed_through=until)

    # --- payments

    def pay(self) -> Event:
        """Return a payment, settled at once, or held: for a review, for captures, or for both."""
        currency = self.rng.choices(("EUR", "USD"), (9, 1))[0]
        debtor, creditor = self._account(currency), self._account(currency)
        if debtor == creditor and self.rng.random() < 0.9:
            creditor = self._account(currency)
        payment, amount = self._name("p"), self._amount()
        creditor, between = self._between(creditor, currency)
        until = self.rng.choice((None, self._end(), self._end()))
        self.payments.append(Asked(payment, debtor, amount, until, []))
        return self._event(
            "PaymentDecided",
            payment_id=payment,
            debtor_account_id=debtor,
            creditor_account_id=creditor,
            amount_minor=amount,
            currency=currency,
            payment_type="transfer",
            reference=f"r{self.count % 3}",
            **dict.fromkeys(("channel", "device_id", "counterparty_country", "merchant_category")),
            outcome=self.rng.choices(("APPROVE", "REVIEW", "DECLINE"), (20, 5, 1))[0],
            score=0,
            reasons=[],
            rules_version="v",
            **{"capture_tolerance_bp": self._tolerance(until), **between},
            **self._hold(until),
        )

    def _tolerance(self, until: int | None) -> int | None:
        """Return how much more of a hold may be captured; by a chance of its own, as `_part`."""
        chance = Random(f"tolerance {self.count}")
        wrong = chance.random() < 0.01
        return chance.choice((None, None, 0, 500, 2000, 10_000)) if until is not None or wrong else None

    def _between(self, creditor: str, currency: str) -> tuple[str, dict[str, Any]]:
        """Return the creditor of a payment, every fifth one in another currency, and what it is to get.

        It has a chance of its own: a payment that says more leaves the others of its seed as they are.
        """
        chance = Random(f"between {self.count}")
        if chance.random() > 0.2:
            return creditor, {}
        other = "USD" if currency == "EUR" else "EUR"
        asked = chance.choice((other, other, other, other, other, currency, "JPY", None))
        price = RATE_E8 if other == "USD" else 10**16 // RATE_E8
        named = chance.choices((None, price + chance.randrange(-(10**6), 10**6), 0, 10**17), (9, 6, 1, 1))[0]
        creditors = [name for name in ACCOUNTS if CURRENCIES[name] == other]
        return chance.choice(creditors), {
            "creditor_currency": asked,
            "rate_e8": named,
            "capture_tolerance_bp": None,
        }

    def _quote(self, chance: Random) -> Command:
        """Return a rate of a pair, or of the inverse; it begins now, or did, or will."""
        pair = chance.choice((("EUR", "USD"), ("EUR", "USD"), ("USD", "EUR"), ("EUR", "JPY")))
        price = RATE_E8 if pair[0] == "EUR" else 10**16 // RATE_E8
        begins = self.now_us + chance.choice((0, 0, 0, -MINUTE_US, MINUTE_US, -DAY_US, -40 * DAY_US, DAY_US))
        fields = {
            **envelope(f"q{self.turn}"),
            "occurred_at": self.now_us - chance.choice((0, 0, MINUTE_US)),
            "base_currency": pair[0],
            "quote_currency": pair[1],
            "rate_e8": price + chance.randrange(-(10**6), 10**6),
            "effective_from": begins,
        }
        return Command("RateQuoted", fields, self.now_us)

    def _hold(self, until: int | None) -> dict[str, Any]:
        """Return how a payment or journal says that it is held: every fifth one without an end."""
        endless = until is not None and self.count % 5 == 0
        return {"hold": True, "hold_expires_at": None} if endless else {"hold_expires_at": until}

    def _about(self, kind: str, held: bool = False, **fields: Any) -> Event:
        """Return a command about a payment; `held`: most often one that is held for captures."""
        held = held and self.rng.random() < 0.95
        paid = self._of([one for one in self.payments[-40:] if one.ends_at is not None or not held])
        return self._event(kind, payment_id=paid.subject, debtor_account_id=paid.account_id, **fields)

    def review(self) -> Event:
        return self._about("PaymentReviewed", approved=self.rng.random() < 0.7, reviewer="x", reason="why")

    def cancel(self) -> Event:
        return self._about("PaymentCancelled", reason="why")

    def capture(self) -> Event:
        amount = self.rng.choice((None, self.rng.randrange(1, 20), self.rng.randrange(1, 20), self._amount()))
        part = {"capture_id": self._name("k"), "amount_minor": amount, "final": self.rng.random() < 0.25}
        return self._about("PaymentCaptured", held=True, **part)

    def extend(self) -> Event:
        return self._about("PaymentExtended", held=True, hold_expires_at=self._end())

    def take_back(self) -> Event:
        amount = self.rng.choice((None, self.rng.randrange(1, 20), self._amount()))
        return self._about("PaymentReversed", reversal_id=self._name("v"), amount_minor=amount, reason="why")

    # --- journals

    def submit(self) -> Event:
        """Return a journal of one entry or two, most often balanced, posted at once or held."""
        legs: list[dict[str, Any]] = []
        for entry_no in range(self.rng.choice((1, 1, 2))):
            legs += self._entry(entry_no)
        for number, leg in enumerate(legs):
            leg["leg_no"] = number + 1
        self._spoil(legs)
        home = legs[0]["account_id"] if legs and self.rng.random() < 0.97 else self._account()
        journal, until = self._name("j"), self.rng.choice((None, None, self._end()))
        self.journals.append(Asked(journal, home, 0, until, legs))
        why = {"reference": "r", "reason": self.rng.choice((None, "why"))}
        content = {"account_id": home, **why, **self._counting()}
        return self._event(
            "JournalSubmitted",
            journal_id=journal,
            legs=legs,
            shares=self._shares(legs),
            **self._hold(until),
            **content,
        )

    def _shares(self, legs: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
        """Let legs of one side take shares in the place of amounts, now and then; by a chance of its own."""
        chance = Random(f"shares {self.count}")
        if not legs or chance.random() < 0.8:
            return None
        entry_no, side = chance.choice(legs)["entry_no"], chance.choice(("DEBIT", "CREDIT"))
        taking = [leg for leg in legs if (leg["entry_no"], leg["side"]) == (entry_no, side)]
        for leg in taking:
            leg["amount_minor"] = 0
        part = chance.choice((1_000_000 // (len(taking) or 1), chance.randrange(600_000)))
        last = chance.choice((None, None, None, part))
        parts = [*[part] * (len(taking) - 1), last]
        return [{"leg_no": leg["leg_no"], "share_ppm": one} for leg, one in zip(taking, parts, strict=False)]

    def _entry(self, entry_no: int) -> list[dict[str, Any]]:
        """Return legs of one currency that balance: some pay, the others are paid."""
        currency = self.rng.choices(("EUR", "USD"), (9, 1))[0]
        names = [name for name in ACCOUNTS if CURRENCIES[name] == currency]
        self.rng.shuffle(names)
        payers = self.rng.randrange(1, min(4, len(names)))
        payees = self.rng.randrange(1, min(4, len(names) - payers + 1))
        total = self.rng.randrange(max(payers, payees), 60)
        shared = [*self._split("DEBIT", names[:payers], total)]
        shared += self._split("CREDIT", names[payers : payers + payees], total)
        if self.rng.random() < 0.3:
            self.rng.shuffle(shared)
        own = {"entry_no": entry_no, "currency": currency}
        more = {"purpose": self.rng.choice((None, "fee")), "rate_e8": self.rng.choice((None, 10**8))}
        return [{"leg_no": 0, **leg, **own, **more} for leg in shared]

    def _split(self, side: str, names: list[str], total: int) -> Iterator[dict[str, Any]]:
        cuts = sorted(self.rng.sample(range(1, total), len(names) - 1))
        for name, start, stop in zip(names, [0, *cuts], [*cuts, total], strict=True):
            yield {"account_id": name, "side": side, "amount_minor": stop - start}

    def _spoil(self, legs: list[dict[str, Any]]) -> None:
        """Now and then make something wrong with the legs."""
        if self.rng.random() > 0.12:
            return
        leg, other = self.rng.choice(legs), self.rng.choice(legs)
        self.rng.choice(
            (
                lambda: leg.update(amount_minor=self._amount()),
                lambda: leg.update(leg_no=other["leg_no"]),
                lambda: leg.update(leg_no=-1),
                lambda: leg.update(entry_no=self.rng.choice((-1, 7))),
                lambda: leg.update(account_id=self.rng.choice(STRANGERS)),
                lambda: leg.update(account_id=other["account_id"]),
                lambda: leg.update(currency="USD"),
                lambda: [one.update(amount_minor=LONG_MAX) for one in legs],
                legs.pop,
                legs.clear,
                lambda: legs.reverse(),
                lambda: legs.extend([dict(leg, leg_no=100 + number) for number in range(100)]),
            )
        )()

    def _counting(self) -> dict[str, Any]:
        """Return from when on something counts in the books."""
        back = self.rng.choices((None, 0, DAY_US, 20 * DAY_US, -DAY_US), (20, 1, 2, 2, 1))[0]
        at = None if back is None else self.now_us - back
        return {"effective_at": at, "late": self.rng.choice(("REFUSE", "NEXT_PERIOD", "NEXT_PERIOD"))}

    def _on(self, kind: str, **fields: Any) -> Event:
        asked = self._of([one for one in self.journals[-20:] if one.ends_at is not None])
        return self._event(
            kind, **self._part(asked, kind), journal_id=asked.subject, account_id=asked.account_id, **fields
        )

    def _part(self, asked: Asked, kind: str) -> dict[str, Any]:
        """Return what of a journal is confirmed: the whole, or most often a part between two of its legs.

        It has a chance of its own: a command that says more leaves the others of its seed as they are.
        """
        if kind != "JournalConfirmed":
            return {}
        chance = Random(f"part {self.count} {asked.subject}")
        name = f"n{self.count - chance.choice((0, 0, 0, 0, 9))}"
        part: dict[str, Any] = {"confirmation_id": chance.choice((None, name)), "legs": None, "final": None}
        sides = {leg["side"]: leg for leg in asked.legs}
        if len(sides) == 2 and chance.random() < 0.7:
            amounts = [chance.choice((1, 1, chance.randrange(1, 10), chance.randrange(1, 60), 0))] * 2
            amounts[0] += chance.choice((0, 0, 0, 0, 0, 1))
            legs = zip(sides.values(), amounts, strict=True)
            part["legs"] = [{"leg_no": leg["leg_no"], "amount_minor": amount} for leg, amount in legs]
            part["final"] = chance.choice((None, True, False, False, False, False))
        return part

    def confirm(self) -> Event:
        return self._on("JournalConfirmed")

    def void(self) -> Event:
        return self._on("JournalVoided", reason="why")

    def reverse(self) -> Event:
        """Return the reversal of a journal: of all that is left, or of one amount between two of its legs."""
        asked, reversal = self._of(self.journals), self._name("v")
        legs: list[dict[str, Any]] = []
        sides = {leg["side"]: leg for leg in asked.legs}
        if len(sides) == 2 and self.rng.random() < 0.5:
            other = {"DEBIT": "CREDIT", "CREDIT": "DEBIT"}
            amount = self.rng.choice((1, self.rng.randrange(1, 20), self._amount()))
            legs = [leg | {"side": other[side], "amount_minor": amount} for side, leg in sides.items()]
        self.journals.append(Asked(reversal, asked.account_id, 0, None, legs))
        content = {"reversal_id": reversal, "legs": legs, "reason": "why", **self._counting()}
        return self._event(
            "JournalReversed", journal_id=asked.subject, account_id=asked.account_id, **content
        )

    def tick(self, rng: Random) -> Command:
        """Return a tick of the first branch, which may be ahead of its record, or late.

        It has its own chance, so that everything else is the same with ticks and without.
        """
        apart = rng.choice((0, 0, MINUTE_US, -MINUTE_US, -3 * DAY_US))
        about = {**envelope(f"tick {self.now_us}"), "tenant_id": "", "occurred_at": self.now_us + apart}
        return Command("BranchTicked", {**about, "account_id": "$clock:0", "branch": 0}, self.now_us)


FREQUENT = {
    Traffic.pay: 30,
    Traffic.capture: 30,
    Traffic.submit: 22,
    Traffic.confirm: 8,
    Traffic.void: 4,
    Traffic.reverse: 10,
    Traffic.take_back: 10,
    Traffic.extend: 6,
    Traffic.review: 7,
    Traffic.cancel: 3,
    Traffic.limit: 4,
    Traffic.freeze: 2,
    Traffic.unfreeze: 4,
    Traffic.close: 1,
    Traffic.reopen: 3,
    Traffic.open_again: 1,
    Traffic.end_period: 1,
    link: 5,
    about_link: 4,
}
KINDS, WEIGHTS = tuple(FREQUENT), tuple(FREQUENT.values())
