"""`python -m edgert` is the `edgert` command."""

import sys

from edgert.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
