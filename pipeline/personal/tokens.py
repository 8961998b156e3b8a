"""Keyed tokens: what streams compare in the place of personal data.

    normal form --HMAC-SHA-256 with the tenant's key of a purpose, first 128 bits--> token, base64url

The normal forms are those of reconciliation (`pipeline/domain/reconciliation/texts`): two values have one
token exactly if they have one normal form. Tokens of two purposes, or of two tenants, never meet.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Iterable
from enum import StrEnum
from itertools import islice

from pipeline.domain.kernel.protected_texts import REFERENCES_MAX, WORDS_MAX, ProtectedText
from pipeline.domain.reconciliation.texts.charges import says_charge
from pipeline.domain.reconciliation.texts.inside import references_inside
from pipeline.domain.reconciliation.texts.instructed import amounts_said
from pipeline.domain.reconciliation.texts.placeholders import is_placeholder
from pipeline.domain.reconciliation.texts.plain import compact, plain
from pipeline.domain.reconciliation.texts.references import normal_reference
from pipeline.domain.reconciliation.texts.words import tokens_in_order
from pipeline.personal.envelope import length_prefixed

TOKEN_BYTES = 16
_CONTEXT = b"ledgerflow personal token 1"


class Purpose(StrEnum):
    """What tokens are compared as; each has a key of its own."""

    TEXT = "text"
    """Words and references of free texts: a reference may be a word of another text."""
    ACCOUNT = "account"
    """IBANs and other numbers of accounts."""
    BIRTH_DATE = "birth_date"
    IDENTIFIER = "identifier"
    CONTENT = "content"
    """What a request to the gateway asks for, as a whole."""


class Tokens:
    """Makes the tokens of a tenant."""

    def __init__(self, key_of: Callable[[Purpose], bytes]) -> None:
        """`key_of` gives the tenant's secret of a purpose, 32 bytes, and raises where it cannot."""
        self._key_of = key_of

    def token(self, purpose: Purpose, normal: str) -> str:
        """Return the token of a normal form: 22 characters. Raises what `key_of` raises."""
        message = length_prefixed(_CONTEXT, purpose, normal)
        digest = hmac.digest(self._key_of(purpose), message, "sha256")[:TOKEN_BYTES]
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def of_number(self, purpose: Purpose, text: str) -> str:
        """Return the token of an IBAN, a document's number or a date; only its letters and digits count.

        Raises what `key_of` raises.
        """
        return self.token(purpose, compact(plain(text)))

    def of_reference(self, text: str) -> str:
        """Return the token of a text as one reference; empty where it is none, or a placeholder.

        Raises what `key_of` raises.
        """
        form = normal_reference(text)
        return "" if is_placeholder(form) else self.token(Purpose.TEXT, form)

    def of_words(self, text: str) -> tuple[str, ...]:
        """Return the tokens of the words of a text: in its order, each once, at most WORDS_MAX.

        Raises what `key_of` raises.
        """
        words = islice(dict.fromkeys(tokens_in_order(text)), WORDS_MAX)
        return tuple(self.token(Purpose.TEXT, word) for word in words)

    def of_references_in(self, text: str, also: Iterable[str] = ()) -> tuple[str, ...]:
        """Return the tokens of the references inside a text, behind those of the references `also`.

        Each once, at most REFERENCES_MAX. Raises what `key_of` raises.
        """
        own = (form for form in map(normal_reference, also) if not is_placeholder(form))
        forms = islice(dict.fromkeys((*own, *references_inside(text))), REFERENCES_MAX)
        return tuple(self.token(Purpose.TEXT, form) for form in forms)

    def protected(self, text: str, envelope: str, also: Iterable[str] = ()) -> ProtectedText:
        """Return an encrypted text with all that streams may compare of the text.

        `also`: references that stand for the text, too. Raises what `key_of` raises.
        """
        return ProtectedText(
            envelope,
            self.of_reference(text),
            self.of_references_in(text, also),
            self.of_words(text),
            says_charge(text),
            amounts_said(text),
        )
