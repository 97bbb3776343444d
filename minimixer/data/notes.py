"""What is said while images are read."""

import sys
from collections.abc import Iterable

from minimixer.text import printable


def several(count: int, one: str, many: str) -> str:
    """A number and what there is of it: "1 image is", "2 images are"."""
    return f"{count:,} {one if count == 1 else many}"


class Notes(list[str]):
    """Sentences on what was recognized, changed and left out; each is printed on standard error as it comes.

    Parameters
    ----------
    name : str
        Of the data, before each sentence.
    quiet : bool
        Collect them only.
    """

    def __init__(self, name: str, quiet: bool = False):
        super().__init__()
        self.name = name
        self.quiet = quiet

    def append(self, note: str) -> None:
        """Say a sentence."""
        super().append(note)
        if not self.quiet and sys.stderr is not None:
            print(printable(f"minimixer: {self.name}: {note}", None, lines=True), file=sys.stderr)

    def extend(self, notes: Iterable[str]) -> None:
        """Say some sentences."""
        for note in notes:
            self.append(note)

    def __iadd__(self, notes: Iterable[str]) -> "Notes":        # type: ignore[misc,override]
        self.extend(notes)
        return self
