"""Ledgerflow: balances, positions, reconciliation and fraud decisions from Kafka events, exactly once."""
