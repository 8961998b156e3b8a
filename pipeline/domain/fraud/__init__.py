"""The decision on every payment, before the ledger sees it: profiles, rules, score, alerts."""
