"""Learning of matching weights: from pairs that people have confirmed to whole numbers."""
