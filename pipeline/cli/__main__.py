"""`python -m pipeline.cli`: what `ledgerflow` is, without the script."""

import sys

from pipeline.cli import program

if __name__ == "__main__":
    sys.exit(program())
