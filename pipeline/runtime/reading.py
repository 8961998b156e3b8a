"""Reading records: their events, and why some of them are dead letters before any rule sees them."""

from __future__ import annotations

from typing import Any, NamedTuple

from pipeline.runtime.avro.codec import Codec, Decoded, Frame
from pipeline.runtime.avro.other_framings import remedy
from pipeline.runtime.kafka.dead_letters import Reason
from pipeline.runtime.placement import Placement


class Read(NamedTuple):
    """The result of reading some records of a log."""

    events: Frame | Decoded
    reasons: dict[int, Reason]
    """Why records are dead letters, by index: not decoded, or misplaced."""

    def refused(self, start: int, stop: int) -> list[Reason | None]:
        """Return the reasons of the records from `start` up to but not including `stop`; None where good."""
        return list(map(self.reasons.get, range(start, stop)))


class RecordReader:
    """Reads the records of one partition of a log."""

    __slots__ = ("_bytes_max", "_codec", "_placement")

    def __init__(self, codec: Codec, placement: Placement, bytes_max: int) -> None:
        """`bytes_max`: a value that is longer is a dead letter."""
        self._codec = codec
        self._placement = placement
        self._bytes_max = bytes_max

    def read(self, records: list[Any], in_columns: bool) -> Read:
        """Decode records, as columns or one by one, and see where they belong; raises as `Codec.decode`."""
        values = [record.value for record in records]
        events: Frame | Decoded
        if in_columns:
            events = self._codec.frame(values, bytes_max=self._bytes_max)
        else:
            events = self._codec.decode(values, self._bytes_max)
        reasons = self._placement.faults(records, events)
        for index, dead in events.dead.items():
            detail, record = dead.detail, records[index]
            if mended := remedy(record.value, record.headers):
                detail = f"{detail}; {mended}" if detail else mended
            reasons[index] = Reason("Decoding", dead.code, detail)
        return Read(events, reasons)
