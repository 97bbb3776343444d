"""The texts of the general diagnoses: a one-line title, and a hint where to look.  Never an answer."""

import sysconfig
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Stack frames outside the student's code: minimixer, the standard library with site-packages, the interpreter.
NOT_THEIRS = (str(Path(__file__).parent.parent), *(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib")),
              "<frozen")

WORDS: dict[str, tuple[str, str]] = {
    "raises": ("Your function raises an error.",
               "{error}{where}. It was called with {case}."),
    "shapes-do-not-fit": ("Two shapes do not match.",
                          "{error}{where}. It was called with {case}. Write the shape of each array next to its line; "
                          "then you see which axis is in the wrong place."),
    "axis-lost": ("Two shapes do not match: one has lost an axis.",
                  "{error}{where}. A mean, sum or var along an axis removes that axis; NumPy then aligns the remaining "
                  "axes on the right. You can keep the axis, with length 1."),
    "exits": ("Your function ends the program.",
              "It calls exit or quit. Return the result instead."),
    "memory": ("Your function runs out of memory.",
               "The arrays here are small. Does a loop make an array longer and longer, or is a shape far too large?"),
    "returns-none": ("Your function returns nothing.",
                     "Without a return statement, Python returns None. Return what the docstring lists."),
    "missing": ("{place} is None.",
                "Each result that the docstring lists must be an array."),
    "wrong-count": ("The number of results is wrong.",
                    "For {place}: found {found}, expected {expected}. Return them in the order of the docstring, "
                    "separated by commas."),
    "not-an-array": ("{name} is not an array of numbers.",
                     "It is a {found}. Return what the docstring lists, in that order."),
    "writes-input": ("Your function modifies its arguments: {names}.",
                     "`+=`, `-=`, `*=` and x[...] = change the caller's array, which the caller still needs. Create a "
                     "new array."),
    "accumulates": ("A second call returns twice the result.",
                    "Your function keeps something from the first call and adds to it. Every call must start from "
                    "scratch; adding up gradients is the engine's job."),
    "changes": ("A second call with the same inputs returns another result.",
                "Your function keeps something from the first call, or is random. The result must depend on the "
                "arguments only."),
    "transposed": ("{name} is transposed.",
                   "Its shape is {found}, expected {expected}. A transpose makes the numbers right: check the order of "
                   "a product, or look for a missing swap."),
    "extra-axis": ("{name} has an axis of length 1 too many or too few.",
                   "Its shape is {found}, expected {expected}. The numbers are right. Check keepdims."),
    "not-summed": ("{name} is not summed over all axes along which the array was shared.",
                   "Its shape is {found}, expected {expected}: a sum is missing. All rows of the batch used the same "
                   "numbers, so their gradients add up."),
    "fixed-axes": ("{name} is summed over too many axes for some inputs.",
                   "For {case}, its shape is {found}, expected {expected}. Inputs can have more or fewer axes, so the "
                   "axes to sum over cannot be hard-coded."),
    "flattened": ("{name} has the right numbers in the wrong shape.",
                  "Its shape is {found}, expected {expected}. Reshape it to the shape in the docstring."),
    "wrong-shape": ("{name} has the wrong shape.",
                    "Its shape is {found}, expected {expected}. Write the shape of each array next to its line."),
    "not-finite": ("{name} has entries that are infinite or not a number.",
                   "It was called with {case}. Look for a division by zero, a logarithm of zero, or exp of a large "
                   "number."),
    "zeros": ("{name} is zero everywhere.",
              "Did you create it with zeros and never fill it? Do you modify a copy?"),
    "swapped": ("{name} and {other} are swapped.",
                "Both are right, but they are returned in the wrong order. The docstring gives the order."),
    "ignores-gy": ("{name} does not depend on gy.",
                   "By the chain rule, the incoming gradient multiplies everything. Your result stays the same when gy "
                   "is three times as large."),
    "wrong-sign": ("{name} has the wrong sign.",
                   "Each entry has the right size but the opposite sign. Look for a missing or an extra minus."),
    "factor": ("{name} is {times} by a factor of {size}.",
               "Every entry is off by the same factor{where}. Is there a sum where a mean should be, or the reverse? "
               "Or did a derivative leave out a size?"),
    "constant": ("{name} is off by a constant factor: {factor} times the right value.",
                 "Every entry is off by the same factor. Which constant in the formula has this value?"),
    "memory-order": ("{name} is wrong only for arrays that are transposed views.",
                     "Such arrays have another order in memory. For them, reshape or ravel may return a copy, and what "
                     "you write to the copy is lost. Use indices, or build a new array."),
    "misplaced": ("{name} has the right numbers in the wrong places.",
                  "Check the order of the axes in reshape, swapaxes and transpose."),
    "low-precision": ("{name} is almost right, but slightly inaccurate.",
                      "The inputs are float64. Is something rounded, or converted to float32 or int? Or is a small "
                      "term of the formula missing?"),
    "saved": ("What forward saves as {name} is not what the docstring says.",
              "backward gets the saved tuple, item by item: it must hold what the docstring lists."),
    "some-inputs": ("{name} is right for some inputs only.",
                    "It is right for {good}, and wrong for {bad}. What is different? Do not hard-code sizes."),
    "only-some": ("{name} is wrong, {others} right.",
                  "So gy arrives correctly, and some of the formulas are right. Derive {name} again on paper, for one "
                  "row."),
    "unknown": ("{name} is wrong.",
                "Its shape is right, but its numbers match no known mistake. Work through the smallest case by hand: "
                "one row of two numbers."),
    "not-found": ("There is no {function} in your file.",
                  "Keep the names of the exercise; if you lost them, compare with a new file from "
                  "`minimixer exercises start`."),
    "broken-file": ("Your file does not run.", "{error}{where}."),
    "timeout": ("Your code did not finish in time.",
                "It was stopped after {seconds:g} seconds. Look for a loop that never ends."),
    "ended": ("Your code ended the program before the check was complete.",
              "{error} Does it call exit, or use a lot of memory?"),
    "not-tried": ("This was not tried.",
                  "The time ran out before it. Fix the problem above first."),
    "refused": ("Your code tries to do something that no exercise needs: {error}.",
                "The check stops code that starts other programs, deletes files, or writes outside its folder{where}."),
}


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong, in one line, and where to look, in a few lines."""

    id: str
    title: str
    text: str


def say(problem: str, /, **words: Any) -> Diagnosis:
    """A general diagnosis with its blanks filled in; ``factor:B`` uses the text of ``factor``."""
    title, text = (part.format(**words) for part in WORDS[problem.split(":")[0]])
    return Diagnosis(problem, printable(title), printable(text))


def printable(text: str) -> str:
    """The text with lone surrogates escaped: unusual errors and file names hold them, and no file can."""
    return text.encode(errors="backslashreplace").decode()


def where_raised(error: BaseException) -> str:
    """Where in the student's code an error was raised, as the end of a sentence."""
    if isinstance(error, SyntaxError) and error.lineno:
        return _place(error.lineno, str(error.filename))
    frames = [frame for frame in traceback.extract_tb(error.__traceback__)
              if not frame.filename.startswith(NOT_THEIRS) and "site-packages" not in frame.filename]
    return _place(frames[-1].lineno or 0, frames[-1].filename) if frames else ""


def _place(line: int, file: str) -> str:
    return f", in line {line}" + (f" of {file}" if file.startswith("code cell") else "")
