"""``python -m minimixer.train``, the same as ``minimixer train``."""

import sys

from minimixer.cli import start

if __name__ == "__main__":
    sys.exit(start("train"))
