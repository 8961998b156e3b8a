"""Encrypted texts, as the judge reads them: `pt1;envelope;r=..;i=..,..;w=..,..;c=0;o=125000USD`.

r is the token of the text as a reference, i those of the references in it, c whether it begins as the text
of a fee does, o the amounts in it. A text that is not encrypted is read as it stands.
"""

from __future__ import annotations

_NAMES = ("r", "i", "w", "c", "o")


def _parts(text: str) -> dict[str, str] | None:
    first, *parts = text.split(";")
    split = [part.partition("=") for part in parts[1:]]
    if first != "pt1" or tuple(name for name, _, _ in split) != _NAMES:
        return None
    return {name: value for name, _, value in split}


def reference_in(text: str) -> str:
    """Return what stands for the text where it is taken for one reference."""
    parts = _parts(text)
    return text if parts is None else parts["r"]


def references_said(text: str) -> str:
    """Return a text in which references are looked for."""
    parts = _parts(text)
    return text if parts is None else f"{parts['r']} {parts['i']}"


def charge_said(text: str) -> bool | None:
    """Whether an encrypted text says that it begins as a fee's does; None of another text."""
    parts = _parts(text)
    return None if parts is None else parts["c"] == "1"


def currencies_in(text: str) -> frozenset[str] | None:
    """Return the currencies of the amounts in an encrypted text; None of another text."""
    parts = _parts(text)
    return None if parts is None else frozenset(one[-3:] for one in parts["o"].split(",") if one)
