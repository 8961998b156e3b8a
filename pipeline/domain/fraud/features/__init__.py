"""The features that fraud decisions rest on: one catalogue, one code for training, backtest and stream."""
