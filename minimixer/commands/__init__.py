"""One file per command: its options, and what it does with them in terms of the rooms below.

Each file has ``main(arguments)``, which returns an exit code and raises MinimixerError; ``cli.py`` is the table.
"""
