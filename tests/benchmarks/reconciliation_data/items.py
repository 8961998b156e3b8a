"""Postings, lines and what belongs together, before they have their ids."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(eq=False)
class Posting:
    """A posting of the books; the amount is signed, a credit is positive."""

    account: str
    amount_minor: int
    currency: str
    at: int
    """Microseconds UTC."""
    reference: str | None
    counterparty: str
    description: str
    id: str = ""


@dataclass(eq=False)
class Line:
    """A line of a bank's statement; its sign is that of the posting it mirrors."""

    account: str
    amount_minor: int
    currency: str
    booked_at: int
    """Microseconds UTC."""
    value_day: int
    """Of the data set's calendar."""
    reference: str | None
    description: str
    id: str = ""


@dataclass
class Link:
    """What belongs together; a line alone, or postings alone, belong to nothing of the other side."""

    line: Line | None
    postings: tuple[Posting, ...]


@dataclass
class Instance:
    """One planted case; each of its items stands in its links, a line once."""

    kind: str
    links: list[Link] = field(default_factory=list)

    @property
    def postings(self) -> list[Posting]:
        """Its postings, each once."""
        return list({id(one): one for link in self.links for one in link.postings}.values())

    @property
    def lines(self) -> list[Line]:
        """Its lines."""
        return [link.line for link in self.links if link.line is not None]
