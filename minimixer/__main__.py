"""``python -m minimixer`` is ``minimixer``."""

import sys

from minimixer.cli import main

sys.exit(main())
