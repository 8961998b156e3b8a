"""Invariants of the journal, checked record by record; shares no code with the ledger's rules."""
