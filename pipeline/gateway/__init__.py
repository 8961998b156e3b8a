"""The gateway: the one door for people and programs. It keeps no truth of the ledger."""
