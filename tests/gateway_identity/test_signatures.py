"""Signed commands: what a tenant asks for, what a signature covers, and what does not count as one."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from http_message_signatures import HTTPMessageSigner, MappingKeyResolver, algorithms

from pipeline.gateway import problems
from pipeline.gateway.identity.signatures import Signatures
from pipeline.gateway.identity.signing_keys import SigningKeyRefused, SigningKeys
from pipeline.gateway.identity.store import SqliteStore
from tests.gateway_identity.gate import ORIGIN, code_of, run
from tests.gateway_identity.people import person, program

PATH, BODY = "/v1/north/payments?validate=true", b'{"amount_minor": 5}'
COVERED = ("@method", "@target-uri", "idempotency-key")
ERP = program("upstream")
KINDS = {
    "ed25519": (ed25519.Ed25519PrivateKey.generate, algorithms.ED25519),
    "p256": (lambda: ec.generate_private_key(ec.SECP256R1()), algorithms.ECDSA_P256_SHA256),
    "rsa": (lambda: rsa.generate_private_key(65_537, 2_048), algorithms.RSA_PSS_SHA512),
}


def pem_of(private: Any) -> str:
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class Message(NamedTuple):
    """A request as the library signs it."""

    method: str
    url: str
    headers: dict[str, str]


class Bank:
    """A gateway of which a tenant asks for signatures; the program's key is of a kind."""

    def __init__(self, folder: Path, kind: str = "ed25519", tenants: str = "north") -> None:
        self.keys = SigningKeys(SqliteStore(folder / "s.sqlite"))
        make, self.algorithm = KINDS[kind]
        self.private: Any = make()
        self.key_id = run(self.keys.add(ERP.issuer, ERP.subject, pem_of(self.private), 1)).key_id
        signatures = Signatures(self.keys, frozenset(tenants.split(",")), ORIGIN)
        self.principal = ERP
        self.commands = 1
        app = FastAPI()
        problems.install(app)

        @app.api_route("/v1/{tenant}/{what}", methods=["GET", "POST"])
        async def route(request: Request, tenant: str) -> dict[str, int]:
            checks = (signatures.require(request, self.principal, tenant) for _ in range(self.commands))
            return {"taken": len(await asyncio.gather(*checks))}

        self.client = TestClient(app, base_url=ORIGIN)

    def signed(self, covered: tuple[str, ...] = COVERED, **given: Any) -> dict[str, str]:
        """Return the headers of a signed command."""
        message = Message("POST", ORIGIN + PATH, {"Idempotency-Key": "k1"})
        resolver = MappingKeyResolver(public_keys={}, private_keys={self.key_id: self.private})
        signer = HTTPMessageSigner(signature_algorithm=self.algorithm, key_resolver=resolver)
        values = {"key_id": self.key_id, "covered_component_ids": covered, "body": BODY} | given
        signer.sign(message, **values)
        return message.headers

    def send(self, headers: dict[str, str], path: str = PATH, body: bytes = BODY) -> Any:
        """Send a command."""
        return self.client.post(path, content=body, headers=headers)


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    made = Bank(tmp_path)
    with made.client:
        yield made


@pytest.mark.parametrize("kind", KINDS)
def test_a_signed_command_is_taken(tmp_path: Path, kind: str) -> None:
    bank = Bank(tmp_path, kind)
    assert bank.send(bank.signed()).status_code == 200


def test_a_signature_made_by_hand_as_the_standard_says_is_taken(bank: Bank) -> None:
    digest = f"sha-256=:{base64.b64encode(hashlib.sha256(BODY).digest()).decode()}:"
    parameters = (
        '("@method" "@target-uri" "idempotency-key" "content-digest")'
        f';created={int(time.time())};keyid="{bank.key_id}"'
    )
    base = (
        f'"@method": POST\n"@target-uri": {ORIGIN}{PATH}\n"idempotency-key": k1\n"content-digest": {digest}\n'
        f'"@signature-params": {parameters}'
    )
    signature = base64.b64encode(bank.private.sign(base.encode())).decode()
    headers = {"Idempotency-Key": "k1", "Content-Digest": digest, "Signature": f"sig=:{signature}:"}
    assert bank.send(headers | {"Signature-Input": f"sig={parameters}"}).status_code == 200


def test_without_a_signature_a_command_is_refused_where_the_tenant_asks(bank: Bank) -> None:
    answer = bank.send({"Idempotency-Key": "k1"})
    assert (answer.status_code, code_of(answer)) == (401, "signature_required")
    assert bank.send({}, "/v1/south/payments").status_code == 200
    assert bank.client.get("/v1/north/payments").status_code == 200
    bank.principal = person("operator")
    assert bank.send({}).status_code == 200


def test_of_a_request_with_many_commands_the_signature_is_checked_once(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[str] = []
    keys_of = bank.keys.of

    async def counted(issuer: str, subject: str) -> Any:
        looked_up.append(subject)
        return await keys_of(issuer, subject)

    monkeypatch.setattr(bank.keys, "of", counted)
    good, bad = bank.signed(nonce="n-1"), bank.signed(nonce="n-2") | {"Idempotency-Key": "k2"}
    assert bank.send(good, PATH.replace("payments", "bulk")).status_code == 401, "another address"
    looked_up.clear()
    bank.commands = 100
    assert bank.send(good).json() == {"taken": 100} and looked_up == [ERP.subject]
    assert code_of(bank.send(bad)) == "signature_refused" and len(looked_up) == 2
    assert bank.send(good).status_code == 200 and len(looked_up) == 3, "another request is checked anew"


def test_every_tenant_may_be_meant(tmp_path: Path) -> None:
    assert code_of(Bank(tmp_path, tenants="*").send({}, "/v1/south/payments")) == "signature_required"


@pytest.mark.parametrize(
    "change",
    [
        {"path": PATH.replace("true", "false")},
        {"path": "/v1/north/payments"},
        {"body": BODY.replace(b"5", b"6")},
        {"body": b""},
        {"headers": {"Idempotency-Key": "k2"}},
        {"headers": {"Content-Digest": "sha-256=:AAAA:"}},
        {"headers": {"Signature": "pyhms=:AAAA:"}},
        {"headers": {"Signature-Input": "x"}},
        {"headers": {"Signature": "=" * 5_000}},
        {"headers": {"Signature-Input": "a=()" + ',b=("@method")' * 400}},
    ],
    ids=lambda change: str(change)[:60],
)
def test_what_was_changed_is_refused(bank: Bank, change: dict[str, Any]) -> None:
    headers = bank.signed()
    given = {**change, "headers": headers | change.get("headers", {})}
    answer = bank.send(**given)
    assert (answer.status_code, code_of(answer)) == (401, "signature_refused")


@pytest.mark.parametrize("left_out", COVERED)
def test_a_signature_must_cover_what_a_command_is(bank: Bank, left_out: str) -> None:
    covered = tuple(one for one in COVERED if one != left_out)
    assert code_of(bank.send(bank.signed(covered))) == "signature_refused"


def test_a_body_must_be_covered(bank: Bank) -> None:
    assert code_of(bank.send(bank.signed(body=None))) == "signature_refused"


@pytest.mark.parametrize("minutes", [-6, 2])
def test_a_signature_is_of_the_last_five_minutes(bank: Bank, minutes: int) -> None:
    created = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes)
    assert code_of(bank.send(bank.signed(created=created))) == "signature_refused"


def test_a_key_of_another_program_is_none(bank: Bank) -> None:
    other = ed25519.Ed25519PrivateKey.generate()
    bank.private, bank.key_id = other, run(bank.keys.add(ERP.issuer, "crm", pem_of(other), 1)).key_id
    assert code_of(bank.send(bank.signed())) == "signature_refused"


def test_a_key_that_was_removed_is_none(bank: Bank) -> None:
    assert run(bank.keys.remove(bank.key_id)) and not run(bank.keys.remove(bank.key_id))
    answer = bank.send(bank.signed())
    assert code_of(answer) == "signature_refused" and "no signing key" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("pem", "said"),
    [
        ("", "no public key"),
        ("x" * 9_000, "at most 8192 characters"),
        (pem_of(rsa.generate_private_key(65_537, 1_024)), "2048 bits, not 1024"),
        (pem_of(ec.generate_private_key(ec.SECP384R1())), "P-256"),
    ],
    ids=["none", "long", "weak", "another curve"],
)
def test_a_key_that_cannot_be_taken_is_refused(bank: Bank, pem: str, said: str) -> None:
    with pytest.raises(SigningKeyRefused, match=said):
        run(bank.keys.add(ERP.issuer, "crm", pem, 1))


def test_keys_are_bounded_in_number_and_in_time(bank: Bank) -> None:
    pem = pem_of(bank.private)
    for days in (0, 1_101):
        with pytest.raises(SigningKeyRefused, match="1 to 1100 days"):
            run(bank.keys.add(ERP.issuer, "crm", pem, days))
    for _ in range(10):
        run(bank.keys.add(ERP.issuer, "crm", pem, 1))
    with pytest.raises(SigningKeyRefused, match="remove some"):
        run(bank.keys.add(ERP.issuer, "crm", pem, 1))
