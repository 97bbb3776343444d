"""What is told about an exception: its kind, its message, and the line of the student's code."""

import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass

ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{4,}")       # differs from run to run


@dataclass(frozen=True)
class Raised:
    """An exception, as plain data."""

    kinds: tuple[str, ...]          # its class and the classes that it derives from
    text: str
    file: str = ""                  # of the last line of the student's code that was running
    line: int = 0
    ours: bool = False              # raised by the checker, not by the answer
    costs: bool = False             # it ended what would have defined the answer

    @property
    def kind(self) -> str:
        """The name of the exception's class."""
        return self.kinds[0]

    @property
    def said(self) -> str:
        """``ValueError: the message``, shortened."""
        return f"{self.kind}: {self.text}"[:300].strip(" ,:")

    @property
    def where(self) -> str:
        """Where it was raised, as the end of a sentence."""
        if not self.line:
            return ""
        return f", in line {self.line}" + (f" of {self.file}" if self.file.startswith("code cell") else "")


def describe(error: BaseException, theirs: Callable[[str], bool]) -> Raised:
    """Describe an exception.

    Parameters
    ----------
    error : BaseException
    theirs : callable
        Whether a file name belongs to the student's code.
    """
    ours = type(error).__module__.startswith(__name__.split(".")[0] + ".")
    kinds = tuple(kind.__name__[:60] for kind in type(error).__mro__ if kind is not object)
    try:
        text = str(error.msg if isinstance(error, SyntaxError) else error)      # its str() names file and line again
    except Exception:
        text = ""
    text = ADDRESS.sub("0x...", text)[:400]
    if isinstance(error, SyntaxError) and error.lineno:
        return Raised(kinds, text, str(error.filename)[:100], error.lineno, ours=ours)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if theirs(frame.filename)]
    if not frames:
        return Raised(kinds, text, ours=ours)
    return Raised(kinds, text, frames[-1].filename[:100], frames[-1].lineno or 0, ours=ours)
