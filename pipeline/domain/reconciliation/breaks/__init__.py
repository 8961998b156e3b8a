"""A break's life: what people and the ledger do about what does not match."""
