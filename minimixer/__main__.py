"""``python -m minimixer``, the same as ``minimixer``."""

import sys

from minimixer.cli import start

if __name__ == "__main__":
    sys.exit(start())
