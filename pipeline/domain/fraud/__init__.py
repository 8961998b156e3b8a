"""The decision on every payment, before the ledger sees it: features, rules, models, labels, alerts."""
