"""The texts of the general diagnoses: a one-line title, and a hint where to look.  Never an answer."""

import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Stack frames outside the student's code: minimixer, the standard library with site-packages, the interpreter.
NOT_THEIRS = (str(Path(__file__).parent.parent), *(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib")),
              "<frozen")

WORDS: dict[str, tuple[str, str]] = {
    "raises": ("Your function raises {kind}.",
               "{error}{where}. It was called with {case}."),
    "name-unknown": ("The name {name} is not defined.",
                     "{error}{where}. Is it imported in this file, and spelled as where it was made?"),
    "shadowed": ("{error}.",
                 "This happened{where}. A name that meant a module or an array now means a number or a tuple: where is "
                 "it assigned once more?"),
    "shapes-do-not-fit": ("Two shapes do not match.",
                          "{error}{where}. It was called with {case}. Write the shape of each array next to its line; "
                          "then you see which axis is in the wrong place."),
    "axis-lost": ("Two shapes do not match: one has lost an axis.",
                  "{error}{where}. A mean, sum, max or var along an axis removes that axis; NumPy then aligns the "
                  "remaining axes on the right. You can keep the axis, with length 1."),
    "does-not-reshape": ("An array does not have as many numbers as the new shape needs.",
                         "{error}{where}. It was called with {case}. Work out the new shape for these sizes by hand."),
    "numbers-only": ("A function for single numbers gets an array.",
                     "{error}{where}. The functions of the module math, float() and `if` work on one number. Use the "
                     "function of NumPy or SciPy that works on every entry."),
    "no-self": ("{function} lacks @staticmethod, or expects an object.",
                "It is called on the class, without an object: its first parameter `self` then gets the first "
                "argument. "
                "Keep @staticmethod and the parameters of the exercise: all that it needs is in its arguments."),
    "parameters": ("{function} has other parameters than the exercise.",
                   "{error}. It is called with {count} arguments, in the order of the docstring."),
    "exits": ("Your function ends the program.",
              "It calls exit or quit. Return the result instead."),
    "memory": ("Your code runs out of memory.",
               "The arrays here are small. Does a loop make an array longer and longer, or is a shape far too large?"),
    "recursion-deep": ("Your function calls itself without end.", "{error}{where}. Which call does not call itself?"),
    "returns-none": ("Your function returns nothing.",
                     "Without a return statement, Python returns None. Return what the docstring lists."),
    "raise-left": ("The line `raise NotImplementedError` is still there.",
                   "Your code stands above it, so it ends in this line. Replace the line by a return."),
    "some-not-done": ("You raise NotImplementedError for some inputs.",
                      "It is raised{where} when called with {case}. All shapes that the docstring allows must work."),
    "generator": ("Your function yields; it must return.",
                  "A function with `yield` gives a generator, which has not computed anything yet."),
    "ellipsis": ("Your function returns `...`.", "The three dots stand for code that is still to be written."),
    "missing": ("{place} is None.",
                "Each result that the docstring lists must be an array."),
    "wrong-count": ("The number of results is wrong: {found}.",
                    "For {place}: found {found}, expected {expected}. Return them in the order of the docstring, "
                    "separated by commas."),
    "wrong-items": ("{place} has {found}, expected {count}.",
                    "Expected {expected}. backward takes what is saved item by item: not one more, not one less."),
    "no-tuple": ("{place} is no tuple, but {found}.",
                 "Expected {expected}. Brackets alone make no tuple; the commas between its items do."),
    "not-grouped": ("The results are not grouped as in the docstring.",
                    "For {place}: found {found}, expected {expected}. The tuples within the result matter."),
    "a-dict": ("Your function returns a dict.",
               "Expected {expected}, in a tuple: return them in the order of the docstring, separated by commas."),
    "not-an-array": ("{name} is not an array of numbers: it is {found}.",
                     "An array of objects, a text or a function cannot be computed with. Return what the docstring "
                     "lists, in that order, with a dtype of numbers."),
    "a-list": ("{name} is a list, not an array.",
               "Its numbers are right. Make an array of it: the code that uses it will call its methods."),
    "dtype": ("{name} has the dtype {found}, expected {expected}.",
              "Which line changes the dtype? Arrays made with dtype=..., int, float16 or float32 round what is stored "
              "in them."),
    "float-index": ("{name} has the dtype {found}, expected {expected}.",
                    "It is used as an index later, and an index must be an integer. Save what you were given."),
    "writes-input": ("Your function modifies its arguments: {names}.",
                     "`+=`, `-=`, `*=` and x[...] = change the caller's array, which the caller still needs. Create a "
                     "new array."),
    "not-restored": ("{names} is not exactly what it was before the call.",
                     "Adding and subtracting the same number does not undo itself: both are rounded. Work on a copy, "
                     "or "
                     "store the old value and put it back."),
    "accumulates": ("A second call returns twice the result.",
                    "Your function keeps something from the first call and adds to it. Every call must start from "
                    "scratch; adding up gradients is the engine's job."),
    "changes": ("A second call with the same inputs returns another result.",
                "Your function keeps something from the first call, or is random. The result must depend on the "
                "arguments only."),
    "hidden-state": ("backward does not use its arguments: it uses what the last call of forward left.",
                     "It is right only directly after forward with the same inputs. A network calls all forwards "
                     "first. "
                     "What backward needs is in its arguments."),
    "shared": ("{name} and {other} are one and the same array.",
               "`*=`, `+=` or `out=` changed the array after it was saved, so the saved one changed too. Create a new "
               "array for the result."),
    "transposed": ("{name} is transposed.",
                   "Its shape is {found}, expected {expected}. A transpose makes the numbers right: check the order of "
                   "a product, or look for a missing swap."),
    "extra-axis": ("{name} has an axis of length 1 too many.",
                   "Its shape is {found}, expected {expected}. The numbers are right. Check keepdims and reshape."),
    "axis-of-1-lost": ("{name} has lost an axis of length 1.",
                       "Its shape is {found}, expected {expected}. The numbers are right. Check keepdims and squeeze."),
    "not-summed": ("{name} is not summed over all axes along which the array was shared.",
                   "Its shape is {found}, expected {expected}: a sum is missing. What was used in many places gets a "
                   "gradient from each of them."),
    "fixed-axes": ("{name} is summed over too many axes{some}.",
                   "For {case}, its shape is {found}, expected {expected}. Inputs can have more or fewer axes, so the "
                   "axes to sum over cannot be hard-coded."),
    "one-number": ("{name} is one number: all its entries together.",
                   "Its shape is {found}, expected {expected}. Each entry has a value of its own: where are they "
                   "added?"),
    "averaged": ("{name} is reduced to too few numbers.",
                 "For {case}, its shape is {found}, expected {expected}: a mean or max over axes that must stay."),
    "flattened": ("{name} has the right numbers in the wrong shape.",
                  "Its shape is {found}, expected {expected}. Reshape it to the shape in the docstring."),
    "wrong-shape": ("{name} has the wrong shape: {found}, expected {expected}.",
                    "It was called with {case}. Write the shape of each array next to its line."),
    "not-finite": ("{name} has entries that are infinite or not a number.",
                   "It was called with {case}. Look for a division by zero, a logarithm of zero, or exp of a large "
                   "number."),
    "zeros": ("{name} is zero everywhere.",
              "Did you create it with zeros and never fill it? Do you modify a copy?"),
    "swapped": ("{name} and {other} are swapped.",
                "Both are right, but they are returned in the wrong order. The docstring gives the order."),
    "permuted": ("The results are in the wrong order: {name} stands where {other} belongs.",
                 "All of them are right. Found: {found}. The docstring gives the order."),
    "is-other": ("{name} is {other}.",
                 "It has exactly the numbers of {other}. Which variable do you return or save there?"),
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
    "shifted": ("{name} is off by the same number everywhere: {offset}.",
                "Every entry has this number too much or too little. Which constant in the formula has this value?"),
    "terms": ("{title}", "{name} is a sum of terms: {terms}. {found} Derive these terms again, one by one."),
    "memory-order": ("{name} is wrong only for arrays that are transposed views.",
                     "Such arrays have another order in memory. For them, reshape or ravel may return a copy, and what "
                     "you write to the copy is lost. Use indices, or build a new array."),
    "misplaced": ("{name} has the right numbers in the wrong places.",
                  "Check the order of the axes in reshape, swapaxes and transpose."),
    "rounded": ("{name} is rounded to {digits} decimals.",
                "Round a number where it is printed; what computes with it needs all its digits."),
    "axis-not-there": ("There is no such axis.",
                       "{error}{where}. It was called with {case}. Inputs can have more or fewer axes: count from the "
                       "end, "
                       "-1 for the last."),
    "low-precision": ("{name} is almost right, but slightly inaccurate.",
                      "The inputs are float64. Is something rounded, or converted to float32 or int? Or is a small "
                      "term of the formula missing?"),
    "saved": ("What forward saves as {name} is not what the docstring says.",
              "backward gets the saved tuple, item by item: it must hold what the docstring lists."),
    "only-where": ("{name} is right only where {relation}.",
                   "It is right for {good}, and wrong for {bad}. Do not hard-code sizes."),
    "only-axes": ("Your function works only for inputs with {good} {axes}.",
                  "{said}. The docstring's (...) stands for any number of leading axes, also none."),
    "some-inputs": ("{name} is right for some inputs only.",
                    "It is right for {good}, and wrong for {bad}. What is different? Do not hard-code sizes."),
    "only-some": ("{name} is wrong, {others} right.",
                  "So some of the formulas are right. Derive {name} again on paper, for {rows}."),
    "unknown": ("{name} is wrong.",
                "Its shape is right, but its numbers match no known mistake: {numbers}. Work through the smallest case "
                "by hand: {rows}."),
    "two": ("There are two mistakes.", "{first} {second}"),
    "not-found": ("There is no {function} in your file.",
                  "Keep the names of the exercise; if you lost them, compare with a new file from "
                  "`minimixer exercises start`."),
    "renamed": ("There is no {function} in your file, but there is {other}.",
                "Keep the names of the exercise, with the same capital letters: others call it by this name."),
    "broken-file": ("Your file does not run.", "{error}{where}."),
    "timeout": ("Your code did not finish in time.",
                "It was stopped after {seconds:g} seconds. Look for a loop that never ends."),
    "ended": ("Your code ended the program before the check was complete.",
              "{error} Does it call exit, or use a lot of memory?"),
    "not-tried": ("This was not tried.",
                  "The time ran out before it. Fix the problem above first."),
    "refused": ("Your code tries to do something that no exercise needs: {error}.",
                "The check stops code that starts other programs, deletes files, or writes outside its folder{where}."),
    "not-own": ("This is not your own work: the answer calls {name}.",
                "While it is graded, an answer may use Python, NumPy, SciPy and the parts that the exercise names. You "
                "may compare it with a library in cells of your own."),
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
    title = title[:1].upper() + title[1:] if problem in ("wrong-items", "no-tuple") else title
    return Diagnosis(problem, printable(title), printable(text))


def printable(text: str) -> str:
    """The text with lone surrogates escaped: unusual errors and file names hold them, and no file can."""
    return text.encode(errors="backslashreplace").decode()


def is_theirs(file: str) -> bool:
    """Whether a file of a stack frame belongs to the student's code."""
    return not file.startswith(NOT_THEIRS) and "site-packages" not in file
