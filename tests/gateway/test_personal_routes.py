"""The routes of commands with personal texts: what goes to Kafka, and what is answered without keys."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from pipeline import events
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.protected_texts import protected_text
from pipeline.domain.tenants.settings import parse_tenants
from pipeline.gateway import problems
from pipeline.gateway.commands import routes
from pipeline.gateway.commands.protection import Protection
from pipeline.gateway.door import Door
from pipeline.gateway.identity.principal import Principal
from pipeline.gateway.policy.reading import default_policy
from pipeline.input_event import InputEvent
from pipeline.personal.opening import DeferredStore, open_in
from pipeline.personal.wrapping import make_file_key

PARTY = {"kind": "PERSON", "names": ["Anna Müller"], "countries": ["DE"]}
PAYMENT = {
    "debtor_account_id": "alice",
    "creditor_account_id": "bob",
    "amount_minor": 500,
    "currency": "EUR",
    "payment_type": "transfer",
    "reference": "Rent of Anna Müller",
}


class Log:
    """Keeps what the routes claim, send and write down; the first of a request is its first."""

    def __init__(self) -> None:
        self.claimed: list[tuple[InputEvent, str]] = []
        self.sent: list[InputEvent] = []
        self.accesses: list[tuple[Any, ...]] = []

    async def claim(self, commands: Sequence[InputEvent], request: str, content: str) -> ev.RequestAnswered:
        (command,) = commands
        self.claimed.append((command, content))
        hashes = [one for event, one in self.claimed if event.event_id == request]
        answer = "FIRST" if len(hashes) == 1 else "REPEATED" if hashes[0] == content else "CONFLICT"
        tenant = command.tenant_id
        return ev.RequestAnswered("a", tenant, 0, request, None, request, answer, hashes[0], 0, False, ())

    async def send(self, commands: Sequence[InputEvent], request: str, content: str) -> None:
        self.sent += commands

    async def within(self, request: str, seconds: float) -> None:
        """Nothing is decided."""

    async def record(self, *about: Any) -> None:
        self.accesses.append(about[2:])


async def _nothing(*_: Any) -> None:
    return None


class Gateway:
    """The routes of commands, for a principal with some roles in the tenant north."""

    def __init__(self, folder: Path, *roles: str) -> None:
        self.log, self.kek = Log(), folder / "kek"
        tenants = parse_tenants("[tenants.north]\npersonal = ['payment_initiated.reference']\n")
        store = DeferredStore(lambda: open_in(folder / "personal", str(self.kek)))
        principal = Principal(
            issuer="idp", subject="anna", expires_at=2**62, roles={"north": frozenset(roles)}
        )

        async def who(_: Any) -> Principal:
            return principal

        log: Any = self.log
        app = FastAPI()
        protection = Protection(store, tenants)
        unbounded: Any = SimpleNamespace(identified=lambda request, who: who(request), take=_nothing)
        unsigned: Any = SimpleNamespace(require=_nothing)
        by: Any = who
        door = Door(
            "gateway", by, unbounded, unsigned, default_policy(), log, log, protection, log, log, app, ()
        )
        problems.install(app)
        app.include_router(routes.router(door))
        self.client = TestClient(app)

    def post(self, path: str, body: dict[str, Any], key: str = "k-1", tenant: str = "north") -> Any:
        return self.client.post(f"/v1/{tenant}{path}", json=body, headers={"Idempotency-Key": key})


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return Gateway(tmp_path, "operator", "upstream")


def test_nothing_that_is_personal_is_claimed_or_sent_in_the_clear(gateway: Gateway) -> None:
    make_file_key(gateway.kek)
    answers = [gateway.post("/parties", PARTY, "k-1"), gateway.post("/payments", PAYMENT, "k-2")]
    assert [answer.status_code for answer in answers] == [202, 202]
    party, payment = gateway.log.sent
    assert isinstance(party, events.PartyRegistered) and isinstance(payment, events.PaymentInitiated)
    assert protected_text(party.names[0]) is not None and protected_text(payment.reference) is not None
    assert answers[0].json()["party_id"] == party.party_id
    assert "Anna" not in repr((gateway.log.claimed, gateway.log.sent, gateway.log.accesses))


def test_the_same_again_is_a_repeat_and_another_name_a_conflict(gateway: Gateway) -> None:
    make_file_key(gateway.kek)
    first, again = (gateway.post("/parties", PARTY) for _ in range(2))
    assert again.status_code == 202 and again.headers["Idempotent-Replayed"] == "true"
    assert first.json() == again.json()
    other = gateway.post("/parties", {**PARTY, "names": ["Bert"]})
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    assert "Bert" not in other.text


def test_without_keys_what_is_personal_is_refused_and_the_rest_goes_on(gateway: Gateway) -> None:
    for path, body in (("/parties", PARTY), ("/payments", PAYMENT)):
        answer = gateway.post(path, body)
        assert (answer.status_code, answer.json()["code"]) == (503, "keys_unavailable")
        assert answer.headers["Retry-After"] == "5"
    assert gateway.log.claimed == [] and len(gateway.log.accesses) == 2
    assert gateway.post("/parties/p-1/remove", {}).status_code == 202
    assert gateway.post("/accounts/alice/reopen", {"reason": "asked for"}, "k-2").status_code == 202
    make_file_key(gateway.kek)
    assert gateway.post("/parties", PARTY, "k-3").status_code == 202


def test_who_may_register_parties_stands_in_the_policy(tmp_path: Path) -> None:
    for role, path, status in (
        ("customer", "/parties", 403),
        ("analyst", "/parties", 403),
        ("upstream", "/parties/p-1/remove", 403),
        ("operator", "/parties/p-1/remove", 202),
    ):
        answer = Gateway(tmp_path, role).post(path, {} if "remove" in path else PARTY)
        assert answer.status_code == status, (role, path)


def test_a_country_or_a_kind_of_number_that_is_free_text_is_refused(gateway: Gateway) -> None:
    make_file_key(gateway.kek)
    for wrong in ({"countries": ["Köln"]}, {"identifiers": [{"scheme": "Anna's pass", "number": "1"}]}):
        assert gateway.post("/parties", {**PARTY, **wrong}).status_code == 422
