"""A log that does not have what its streams are to read next: the worker stops, and a person decides.

    position of the streams < first offset of the log    records are lost that were never read
    position of the streams > end of the log             records are lost that were read

Somebody deleted them (DeleteRecords, a retention), or the topic is another one. No stream goes on past a gap
by itself; `ledgerflow accept-loss` says that it may (`operator_actions`).
"""

from __future__ import annotations

from pipeline.runtime.faults import Fault, WorkerFault

CODE = "log_lost"


class LogLost(WorkerFault):
    """What a log has lost. The text is one line: the range, and the command that goes on without it."""

    def __init__(self, topic: str, partition: int, position: int, first: int, end: int | None = None) -> None:
        """`position`: the next offset that the streams need; the log has `first` up to `end` (None: more)."""
        self.place = place = f"{topic}[{partition}]"
        if position < first:
            found = f"{place} begins at offset {first}, but its streams have read up to {position} only"
            remedy = (
                f"bring them back, or go on without them: {accept_command(topic, partition, position, first)}"
            )
            lost = f"offsets {position} to {first - 1} are lost"
        else:
            found = f"{place} ends at offset {end}, but its streams have read up to {position}"
            lost = f"offsets {end} to {position - 1} are lost, or the topic was made anew"
            remedy = "bring the log back: nothing can go on from it"
        fault = Fault(CODE, place, f"{found}: {lost}", topic, partition, position)
        super().__init__(fault, f"{found}: {lost}; {remedy}")


def accept_command(topic: str, partition: int, position: int, first: int) -> str:
    """Return the command that accepts the loss of the offsets from `position` up to `first`."""
    return f"ledgerflow accept-loss {topic}/{partition} --from {position} --up-to {first} --reason '...'"
