"""Ledgerflow: double-entry balances, positions, reconciliation and fraud decisions from Kafka, exactly once."""
