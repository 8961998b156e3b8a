"""`python -m pipeline.cli`: the command `ledgerflow` without its installed script."""

import sys

from pipeline.cli import program

if __name__ == "__main__":
    sys.exit(program())
