"""One plain model of every stream, written from the contract (schemas/, README.md), not from the rules.

    records of one partition of a log, in order -> StreamModel.apply -> dead-letter code or None, and what
    must come out: events, balances, table rows

`ledgerflow verify`, the chaos runs and the tests that put model and rules side by side use it alike. It
shares no code with the streams: its agreement with them is evidence. Beside it stand checks that need no
model: the journal's own arithmetic (`pipeline.verify.journal`), the live invariants, and expected results
worked out by hand.
"""
