"""The audit of a running worker: invariants that no single log can show, checked now and then by a thread.

    clearing   what went into clearing on all branches has come out again, wherever it has come to rest
    applied    every record of a log is applied or a dead letter, once
    table      the rows of a table are what its changelog says

What is found goes to `invariant-alerts`, as what the invariants stream finds. Nothing here can stop a worker.
"""

from pipeline.audit.auditor import mount

__all__ = ["mount"]
