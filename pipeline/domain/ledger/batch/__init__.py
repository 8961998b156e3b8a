"""The ledger by columns: read the rows, decide a batch, touch the accounts, build the events."""
