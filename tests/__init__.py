"""The tests. `python -m tests` runs the whole default suite: lint, types, layers, pytest."""
