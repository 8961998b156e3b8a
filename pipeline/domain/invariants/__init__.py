"""What must hold of the journal, checked record by record; shares no rule with the ledger."""
