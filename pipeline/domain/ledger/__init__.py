"""Double-entry balances of one branch (partition): payments, holds, journals, reversals, limits."""
