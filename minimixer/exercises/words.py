"""What the diagnoses say that any task can get: a title of one line, and where to look.  Never an answer."""

import sysconfig
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Whose frames are not the student's: ours, the standard library's with site-packages in it, the interpreter's.
NOT_THEIRS = (str(Path(__file__).parent.parent), *(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib")),
              "<frozen")

WORDS: dict[str, tuple[str, str]] = {
    "raises": ("Your function stops with an error.",
               "{error}{where}. It was called with {case}."),
    "shapes-do-not-fit": ("Two shapes do not fit.",
                          "{error}{where}. It was called with {case}. Write the shape of every array behind its line; "
                          "then you see which axis is at the wrong place."),
    "axis-lost": ("Two shapes do not fit: one has lost an axis.",
                  "{error}{where}. A mean, sum or var along an axis takes this axis away; then NumPy aligns what is "
                  "left at the right. The axis can be kept, with length 1."),
    "exits": ("Your function ends the program.",
              "It calls exit or quit. Return the result instead."),
    "memory": ("Your function needs more memory than there is.",
               "The arrays are small here. Does a loop make an array longer and longer, or is a shape far too large?"),
    "returns-none": ("Your function returns nothing.",
                     "Without a return statement, Python returns None. Return what the docstring lists."),
    "missing": ("{place} is None.",
                "Each of the results that the docstring lists has to be an array."),
    "wrong-count": ("The number of results is not right.",
                    "For {place}: found {found}, expected {expected}. Return them in the order of the docstring, "
                    "separated by commas."),
    "not-an-array": ("{name} is not an array of numbers.",
                     "It is a {found}. Return what the docstring lists, in its order."),
    "writes-input": ("Your function writes to what it was given: {names}.",
                     "`+=`, `-=`, `*=` and x[...] = change the array of the caller, who still needs it. Make a new "
                     "array."),
    "accumulates": ("A second call gives the double.",
                    "Something is kept from the first call and added to. Every call must begin anew; adding gradients "
                    "up is the work of the engine."),
    "changes": ("A second call with the same inputs gives something else.",
                "Something is kept from the first call, or is random. The result must depend on the arguments only."),
    "transposed": ("{name} is transposed.",
                   "Its shape is {found}, expected {expected}. The numbers are right after a transpose: look at the "
                   "order of a product, or at a swap that is missing."),
    "extra-axis": ("{name} has an axis of length 1 too many or too few.",
                   "Its shape is {found}, expected {expected}. The numbers are right. Look at keepdims."),
    "not-summed": ("{name} is not summed over all axes along which it was shared.",
                   "Its shape is {found}, expected {expected}: a sum is missing. All rows of the batch used the same "
                   "numbers, so their gradients are added."),
    "fixed-axes": ("{name} is summed over too many axes for some inputs.",
                   "For {case}, its shape is {found}, expected {expected}. Inputs can have more axes or fewer, so the "
                   "axes to sum over cannot be fixed numbers."),
    "flattened": ("{name} has the right numbers in the wrong shape.",
                  "Its shape is {found}, expected {expected}. Bring it to the shape that the docstring says."),
    "wrong-shape": ("{name} has the wrong shape.",
                    "Its shape is {found}, expected {expected}. Write the shape of every array behind its line."),
    "not-finite": ("{name} has entries that are infinite or not a number.",
                   "Called with {case}. Look for a division by zero, a logarithm of zero, or exp of a large number."),
    "zeros": ("{name} is zero everywhere.",
              "Is it made with zeros and then never filled? Does a change act on a copy?"),
    "swapped": ("{name} and {other} have changed places.",
                "Both are right, but they are returned in the wrong order. The docstring has the order."),
    "ignores-gy": ("{name} does not depend on gy.",
                   "The gradient that comes in multiplies everything: this is the chain rule. Your result stays the "
                   "same when gy is three times larger."),
    "wrong-sign": ("{name} has the wrong sign.",
                   "Each entry has the right size but the opposite sign. Look for a minus that is lost or one too "
                   "many."),
    "factor": ("{name} is {times} by the factor {size}.",
               "Every entry is off by the same factor{where}. A sum stands where a mean should be, or the reverse, or "
               "a size is left out in a derivative."),
    "constant": ("{name} is off by a constant factor: {factor} times what it should be.",
                 "Every entry is off by the same factor. Which constant of the formula has this value?"),
    "memory-order": ("{name} is wrong only when the arrays are transposed views.",
                     "Such arrays have another order in memory. reshape or ravel may then give a copy: what you write "
                     "to the copy is lost. Use indices, or build a new array."),
    "misplaced": ("{name} has the right numbers at the wrong places.",
                  "Look at the order of axes in reshape, swapaxes and transpose."),
    "low-precision": ("{name} is nearly right: it is a little inexact.",
                      "The inputs are float64. Is something rounded, or made float32 or int? Or is one small term of "
                      "the formula missing?"),
    "saved": ("What forward saves as {name} is not what the docstring says.",
              "backward gets the saved tuple, item by item: it must hold what is listed there."),
    "some-inputs": ("{name} is right for some inputs only.",
                    "It is right for {good}, and wrong for {bad}. What is different? Sizes may not be fixed in the "
                    "code."),
    "only-some": ("{name} is wrong, {others} right.",
                  "So gy arrives well and part of the formulas is right. Derive {name} again on paper, for one row."),
    "unknown": ("{name} is wrong.",
                "Its shape is right, but its numbers fit none of the mistakes that we know. Try the smallest case by "
                "hand: one row of two numbers."),
    "not-found": ("There is no {function} in your file.",
                  "Keep the names of the exercise; if they are lost, compare with a fresh file from "
                  "`minimixer exercises start`."),
    "broken-file": ("Your file cannot be run.", "{error}{where}."),
    "timeout": ("Your code did not finish in time.",
                "It was stopped after {seconds:g} seconds. Look for a loop whose end is never reached."),
    "ended": ("Your code ended the program before the check was complete.",
              "{error} Does it call exit, or use very much memory?"),
    "not-tried": ("This was not tried.",
                  "The time was used up before it. First correct what stands above."),
    "refused": ("Your code tries to do what an exercise does not need: {error}.",
                "The check stops code that starts other programs, deletes files, or writes outside its folder{where}."),
}


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong, in one line, and where to look, in a few."""

    id: str
    title: str
    text: str


def say(problem: str, /, **words: Any) -> Diagnosis:
    """A diagnosis that any task can get; ``factor:B`` has the words of ``factor``."""
    title, text = (part.format(**words) for part in WORDS[problem.split(":")[0]])
    return Diagnosis(problem, printable(title), printable(text))


def printable(text: str) -> str:
    """The text with escapes for what no file can hold: halves of characters, from odd errors and file names."""
    return text.encode(errors="backslashreplace").decode()


def where_raised(error: BaseException) -> str:
    """The line of the student's code in which an error arose, as the end of a sentence."""
    if isinstance(error, SyntaxError) and error.lineno:
        return _place(error.lineno, str(error.filename))
    frames = [frame for frame in traceback.extract_tb(error.__traceback__)
              if not frame.filename.startswith(NOT_THEIRS) and "site-packages" not in frame.filename]
    return _place(frames[-1].lineno or 0, frames[-1].filename) if frames else ""


def _place(line: int, file: str) -> str:
    return f", in line {line}" + (f" of {file}" if file.startswith("code cell") else "")
