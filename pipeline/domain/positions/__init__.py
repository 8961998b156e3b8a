"""Quantity, average cost and profit of every position."""
