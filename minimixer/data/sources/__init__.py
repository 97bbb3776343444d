"""One file per source of images; each returns a ``Dataset``."""
