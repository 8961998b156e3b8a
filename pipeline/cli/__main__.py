"""`python -m pipeline.cli`: what `ledgerflow` is, without the script."""

import sys

from pipeline.cli.entry import main

if __name__ == "__main__":
    sys.exit(main())
