"""The bound of an amount."""

from __future__ import annotations

AMOUNT_LIMIT = 2**61
"""Larger amounts, minor units, are rejected, so that sums and differences fit into 64 bits."""
