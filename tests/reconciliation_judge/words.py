"""What tales name: records, lines, people, weights."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pipeline.verify.model.record import Record

DAY = 86_400_000_000


def weights_text(confirm: int = 4_000, suggest: int = 1_000) -> str:
    """Return weights of matching: amounts are 0, 5,000 or 2,000, days 0 or 1,000, references 0 or 9,000."""
    told = {
        "confirm_from": confirm,
        "early_margin": 2_000,
        "margin": 1_000,
        "suggest_from": suggest,
        "tables": {"amount": [0, 5_000, 2_000], "days": [0, 1_000], "reference": [0, 9_000]},
        "version": 1,
    }
    return json.dumps(told, sort_keys=True, separators=(",", ":"))


def named(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


DEFAULT = weights_text()


def record(topic: str, offset: int, at: int, event: str, fields: dict[str, Any]) -> Record:
    return Record(topic, 0, offset, at // 1000, b"acme/nostro", b"", {}, event, fields, None)


def options(words: list[str]) -> tuple[list[str], dict[str, str]]:
    """Return words, and those that are `name=value`."""
    plain = [word for word in words if "=" not in word]
    return plain, dict(word.split("=", 1) for word in words if "=" in word)


def line_ref(name: str) -> dict[str, Any]:
    """Return a line as results name it: `S1/2`, or `S1/2#2` where the place came again."""
    statement, _, rest = name.partition("/")
    return {
        "statement_id": statement,
        "line_no": int(rest.partition("#")[0]),
        "line_id": hashlib.sha256(name.encode()).hexdigest()[:32],
    }


def asked_ref(name: str) -> dict[str, Any]:
    """Return a line as a person names it: without its key."""
    return {**line_ref(name), "line_id": None}


def break_id(name: str) -> str:
    """Return the id of a break: a UUID, in which its short name stands."""
    return f"{name:0>8}-0000-5000-8000-000000000000"


def journal(name: str) -> str:
    """Return the journal of a correction: `b1/2` is the second one of break b1."""
    of, _, number = name.partition("/")
    return f"correction-{break_id(of)}-{number}"


def legs_of(words: list[str]) -> list[dict[str, Any]]:
    """Return the legs of a correction, such as `nostro:-650 fees:650`; a credit is positive."""
    pairs = [word.split(":") for word in words]
    return [
        {
            "leg_no": number,
            "entry_no": 1,
            "account_id": account,
            "side": "DEBIT" if amount.startswith("-") else "CREDIT",
            "amount_minor": abs(int(amount)),
            "currency": "EUR",
            "purpose": None,
            "rate_e8": None,
        }
        for number, (account, amount) in enumerate(pairs, 1)
    ]


def person(name: str | None) -> dict[str, Any] | None:
    """Return who acts; `robot` is a program."""
    if name is None or name == "nobody":
        return None
    is_program = name == "robot"
    about = {"issuer": "idp", "subject": name, "roles_version": None}
    return {**about, "session_id": None if is_program else "s1", "key_id": "k1" if is_program else None}
