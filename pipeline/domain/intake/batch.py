"""The batch path of the intake of payments: what is in order is passed on, a run at a time.

Every payment goes through it, and looking at each of them alone would cost as much as its decision.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.domain.intake.stream import ACCEPTED
from pipeline.domain.kernel import events as ev
from pipeline.domain.kernel.columns import ACTOR_COLUMN, METADATA_COLUMN, OTHER, Block, Passed, Run, numpy_of
from pipeline.domain.kernel.corrections import CORRECTION_PREFIX
from pipeline.domain.kernel.ids_batch import bad_ids
from pipeline.domain.kernel.remittance import wrong_creditor_references
from pipeline.domain.kernel.rows import PrefetchingRows
from pipeline.domain.kernel.texts_batch import bad_texts

_IDS = (
    *("event_id", "tenant_id", "payment_id", "debtor_account_id", "creditor_account_id"),
    *("capture_id", "reversal_id", "link_id"),
)


class PaymentsBatch:
    """Passes runs of payments on; holds no state."""

    # Linked payments have ids within: they go by rows.
    classes = tuple(sorted(ACCEPTED["payments"] - {ev.PaymentsLinked}, key=lambda kind: kind.__name__))
    fields: ClassVar[dict[str, pa.DataType]] = {
        **dict.fromkeys((*_IDS, "creditor_reference"), pa.string()),
        "actor": ACTOR_COLUMN,
        "metadata": METADATA_COLUMN,
        "capture_tolerance_bp": pa.int32(),
    }

    def __init__(self, target: str) -> None:
        self._target = target

    def apply(self, run: Run, rows: PrefetchingRows | None) -> tuple[int, list[Block | Passed]]:
        """Pass on the events before the first one that may be refused; return how many, and the output."""
        refused = run.kinds == OTHER
        refused |= bad_ids(run, _IDS)
        refused |= bad_texts(run)
        refused |= wrong_creditor_references(run.columns["creditor_reference"])
        refused |= ~numpy_of(pc.is_null(run.columns["capture_tolerance_bp"]))
        refused |= numpy_of(pc.starts_with(run.columns["reversal_id"], CORRECTION_PREFIX), False)
        length = int(np.argmax(np.append(refused, True)))
        places = np.arange(length)
        return length, [Passed(self._target, places, places)] if length else []
