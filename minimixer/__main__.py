"""``python -m minimixer``, the same as ``minimixer``."""

import sys

from minimixer.cli import main

if __name__ == "__main__":
    sys.exit(main())
