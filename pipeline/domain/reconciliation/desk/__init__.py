"""What one account knows while its statements are reconciled: open items, claims, due times, over rows."""
