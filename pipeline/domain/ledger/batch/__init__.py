"""The batch path of the ledger: read the rows, decide the commands, sum up the accounts, build the events."""
