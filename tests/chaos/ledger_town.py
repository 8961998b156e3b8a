"""A town of branches: random commands on several branches of the ledger, and what these say to each other.

    upstreams' commands, and at random between them what branches say to each other -> branches; their logs

The logs can be put through anything else that claims to be a ledger (`side_by_side.first_difference`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from random import Random
from typing import Protocol

from pipeline.verify.model.record import Record
from pipeline.verify.model.wire import BROADCAST, COMMANDS, Expected, home_of
from tests.chaos.by_hand import record
from tests.chaos.ledger_traffic import Command, Traffic


class Applies(Protocol):
    """A branch: a record in, its dead-letter code or None, and what comes out of it."""

    def apply(self, record: Record) -> tuple[str | None, list[Expected]]: ...


@dataclass
class Town:
    """Branches that talk to each other. `play` puts every record that one applies into its log."""

    branches: Sequence[Applies]
    rng: Random
    logs: list[list[Record]] = field(init=False)
    on_the_way: list[tuple[Expected, int, tuple[int, int]]] = field(default_factory=list)
    """What branches have said to each other and nobody has read yet, with the time at which it was said, and
    which branch has said it to which. As in Kafka, what one says to another comes in its order."""

    def __post_init__(self) -> None:
        self.logs = [[] for _ in self.branches]

    def play(self, commands: Iterable[Command], busy: float = 0.6) -> Iterator[tuple[Record, str | None]]:
        """Apply commands, and between them, at random, what is on its way; at the end all of it.

        `busy`: how likely it is, each time, that something on its way comes before the next command.
        Yields each record after it was applied, with the code of its dead letter or None.
        """
        for command in commands:
            while self.on_the_way and self.rng.random() < busy:
                yield self._deliver()
            yield from self.put(command)
        while self.on_the_way:
            yield self._deliver()

    def put(self, command: Command) -> Iterator[tuple[Record, str | None]]:
        made = record(command.event, command.fields, at_us=command.at_us)
        home = home_of((made.key or b"").decode(), len(self.branches))
        if command.event == "BranchTicked":
            home = command.fields["branch"]
        for number in range(len(self.branches)) if command.event in BROADCAST else (home,):
            yield self._apply(made, number)

    def _deliver(self) -> tuple[Record, str | None]:
        *_, between = self.rng.choice(self.on_the_way)
        first = next(place for place, one in enumerate(self.on_the_way) if one[2] == between)
        said, at_us, (_, target) = self.on_the_way.pop(first)
        return self._apply(record(said.event, said.fields, at_us=at_us), target)

    def _apply(self, made: Record, number: int) -> tuple[Record, str | None]:
        log = self.logs[number]
        placed = made._replace(partition=number, offset=len(log), topic=COMMANDS)
        log.append(placed)
        code, out = self.branches[number].apply(placed)
        at_us = made.timestamp_ms * 1000
        for said in out:
            if said.topic == COMMANDS:
                target = home_of(said.key.decode(), len(self.branches))
                self.on_the_way.append((said, at_us, (number, target)))
        return placed, code


def commands_of(seed: int, count: int) -> Iterator[Command]:
    """Yield the opening of the accounts and `count` random commands, with ticks: a function of the seed."""
    traffic, ticks = Traffic(Random(f"commands-{seed}")), Random(f"ticks-{seed}")
    yield from traffic.opening()
    for command in islice(traffic, count):
        yield command
        if ticks.random() < 0.04:
            yield traffic.tick(ticks)


def logs_of(branches: Sequence[Applies], seed: int, count: int) -> list[list[Record]]:
    """Play a seed's commands on branches until it is quiet; return what each of them has read."""
    town = Town(branches, Random(f"town-{seed}"))
    for _ in town.play(commands_of(seed, count)):
        pass
    return town.logs
