"""The audit of a running worker: a thread checks, every few seconds, invariants that no single log can show.

    clearing   the clearing accounts of all branches sum to zero once their legs are booked
    applied    every record of a log is applied or a dead letter, exactly once
    table      the rows of a table equal its changelog

Findings go to `invariant-alerts`, like those of the invariants stream. Nothing here can stop a worker.
"""

from pipeline.audit.auditor import mount

__all__ = ["mount"]
