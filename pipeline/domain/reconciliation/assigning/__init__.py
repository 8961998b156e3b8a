"""Which posting and which line belong together: candidates, components, the best assignment, outcomes."""
