"""A fraud model of integers that travels in the log: the artefact, its bytes, its evaluation."""
