"""Queries: what the workers' views answer, for whoever may see it."""
