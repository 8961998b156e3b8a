"""How much speaks for a pair of a posting and a line: evidence, integer weights, the score and its parts."""
