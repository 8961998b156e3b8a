"""What is wrong with an event of fraud-rules by itself: intake refuses it before any partition has it.

What only the earlier events can tell (a part that is missing, another content of one version) is said by
`publications`.
"""

from __future__ import annotations

import binascii
import hashlib
from typing import Any

from pipeline.domain.fraud.expressions.canonical import SHA256, Head, ListPart, checked_head, checked_part
from pipeline.domain.fraud.expressions.linting import lint
from pipeline.domain.fraud.expressions.problems import ERROR
from pipeline.domain.fraud.expressions.rule_sets import RuleSet, RuleSetError
from pipeline.domain.fraud.features.catalogue import CATALOGUE
from pipeline.domain.fraud.model.artefact import MODEL_BYTES_MAX
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.outbox import Reject

ALL_TENANTS = "*"
"""The tenant of an event that is for all of them: `of_tenant` is null there."""
MODEL_PART_BYTES = 512 * 1024
MODEL_PARTS_MAX = MODEL_BYTES_MAX // MODEL_PART_BYTES
CATALOGUE_VERSION_CHARS_MAX = 64


def check_publication(event: Any) -> None:
    """Check an event of fraud-rules by itself.

    Raises Reject: wrong_tenant, invalid_hash, wrong_hash, invalid_part, invalid_rules, invalid_model.
    """
    match event:
        case ev.FraudRulesPublished():
            _check_tenant(event)
            head_of(event)
        case ev.FraudListPartPublished():
            list_part_of(event)
        case ev.FraudModelPartPublished():
            model_part_of(event)
        case ev.FraudModelPublished():
            _check_tenant(event)
            _check_model(event)


def head_of(event: ev.FraudRulesPublished) -> Head:
    """Return the head of a set. Raises Reject as `check_publication`."""
    content = event.head.encode()
    _check_hash(event.sha256)
    if hashlib.sha256(content).hexdigest() != event.sha256:
        raise Reject("wrong_hash", "sha256")
    try:
        head = checked_head(content)
    except RuleSetError:
        raise Reject("invalid_rules", "head") from None
    rules = head.rules
    said = event.set_id, event.version, event.of_tenant, event.effective_from
    if said != (rules.set_id, rules.version, rules.tenant_id, rules.effective_from_us):
        raise Reject("invalid_rules", "the head says something else than the event")
    check_rules(rules)
    return head


def check_rules(rules: RuleSet) -> None:
    """Check rules against the catalogue of this release. Raises Reject (invalid_rules)."""
    for finding in lint(rules, CATALOGUE):
        if finding.severity == ERROR:
            raise Reject("invalid_rules", finding.part)


def list_part_of(event: ev.FraudListPartPublished) -> ListPart:
    """Return a part of a list. Raises Reject as `check_publication`."""
    _check_hash(event.list_sha256)
    try:
        part = checked_part(event.part.encode())
    except RuleSetError:
        raise Reject("invalid_part", "the list's entries, or their form") from None
    if (part.sha256, part.number) != (event.list_sha256, event.number):
        raise Reject("invalid_part", "the part says something else than the event")
    return part


def model_part_of(event: ev.FraudModelPartPublished) -> bytes:
    """Return a part of a model's bytes. Raises Reject as `check_publication`."""
    _check_hash(event.model_sha256)
    if not 0 <= event.number < MODEL_PARTS_MAX:
        raise Reject("invalid_part", f"the number of a part is from 0 to {MODEL_PARTS_MAX - 1}")
    try:
        part = binascii.a2b_base64(event.part.encode(), strict_mode=True)
    except binascii.Error:
        raise Reject("invalid_part", "no base64") from None
    if not 1 <= len(part) <= MODEL_PART_BYTES:
        raise Reject("invalid_part", f"{len(part)} bytes, not 1 to {MODEL_PART_BYTES}")
    if base64_of(part) != event.part:
        raise Reject("invalid_part", "another form of base64")
    return part


def base64_of(data: bytes) -> str:
    """Return bytes as events carry them: base64 of RFC 4648, with padding, without line ends."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def model_parts(data: bytes) -> list[bytes]:
    """Return the parts of a model's bytes."""
    return [data[start : start + MODEL_PART_BYTES] for start in range(0, len(data), MODEL_PART_BYTES)]


def _check_model(event: ev.FraudModelPublished) -> None:
    if event.model_sha256 is not None:
        _check_hash(event.model_sha256)
        if not 1 <= event.parts <= MODEL_PARTS_MAX:
            raise Reject("invalid_model", f"a model has 1 to {MODEL_PARTS_MAX} parts")
    elif event.parts:
        raise Reject("invalid_model", "no model has no parts")
    if len(event.catalogue_version) > CATALOGUE_VERSION_CHARS_MAX:
        raise Reject("invalid_model", "catalogue_version")


def _check_tenant(event: Any) -> None:
    whose = ALL_TENANTS if event.of_tenant is None else event.of_tenant
    # Nobody pays as `*`: what is said to be its own would hold for nobody, and look as if it did for all.
    if event.tenant_id != whose or event.of_tenant == ALL_TENANTS:
        raise Reject("wrong_tenant")


def _check_hash(text: str) -> None:
    if not SHA256.fullmatch(text):
        raise Reject("invalid_hash")
