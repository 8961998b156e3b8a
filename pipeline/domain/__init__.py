"""The rules of every stream: pure functions over events and rows, a package for each concept."""
