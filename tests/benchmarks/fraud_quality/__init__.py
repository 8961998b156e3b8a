"""How well fraud is found, beside a plain model: features and training of the peer, metrics, comparison."""
