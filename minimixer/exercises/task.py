"""What defines an exercise: its tasks, their test cases, and their known mistakes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from minimixer.exercises.words import Diagnosis

# Names of the returned tensors, nested like the result: ("y", ("saved x", "saved weight")); None: not compared.
Names: TypeAlias = str | tuple["Names", ...] | None
Function: TypeAlias = Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Case:
    """One call of the student's function, and the expected result."""

    label: str                          # "B = 2, S = 3, C = 5, transposed"
    arguments: tuple[Any, ...]
    expected: Any                       # arrays and numbers, nested like the task's names
    sizes: Mapping[str, int] = field(default_factory=dict)      # names for constant factors
    transposed: bool = False            # the arrays are views of transposed memory
    before: tuple[Any, ...] | None = None       # arguments of the call of forward that saved what backward gets here
    once: bool = False                  # too long to be called a second time
    reveals: "Mistake | None" = None    # if only such cases are wrong, this is why


@dataclass(frozen=True, eq=False)
class Mistake:
    """A known wrong answer, and the hint that leads away from it.

    ``imitate`` makes the mistake: called like the student's function, it returns what a student with this mistake would
    return.  Instead of it, ``change`` names what the mistake changes in ``Task.vary``; then it is also recognized
    together with another one.  Without either, another test recognizes the mistake.
    """

    id: str
    title: str                          # what is wrong, in one line
    text: str                           # where to look; never the answer
    imitate: Function | None = None
    change: Mapping[str, Any] | None = None
    credit: float = 0.0                 # share of the points, if the results are right


@dataclass(frozen=True, eq=False)
class Task:
    """One function to write."""

    name: str                           # "backward"
    function: str                       # its name in the student's file: "LayerNorm.backward"
    points: int
    outputs: Names
    cases: Callable[[], list[Case]]
    mistakes: tuple[Mistake, ...] = ()
    errors: Mapping[str, Mistake] = field(default_factory=dict)     # by exception name
    tolerance: float = 1e-6             # relative to the largest entry
    has_gradient: bool = False          # the first argument is the gradient of the result
    call: Callable[[Function, Case], Any] = lambda function, case: function(*case.arguments)
    vary: Callable[..., Function] | None = None         # the right function with some of its parts changed
    rows: str = "one row of two numbers"                # the smallest case, to be worked out by hand
    axes: Callable[[Case], int] | None = None           # how many axes the input has, where any number is allowed
    credited: tuple[str, ...] = ()      # exceptions of ``call`` that are raised after all results proved right
    terms: tuple[tuple[str, tuple[Mistake, ...], Callable[[Case], Mapping[str, Any]]], ...] = ()
    # A tensor as a sum of terms, each with the factor 1; and the same with a known mistake in all of them.


Found: TypeAlias = Diagnosis | Mistake | None


@dataclass(frozen=True)
class Exercise:
    """One file to fill in."""

    id: str                             # "ex06"
    name: str                           # "layernorm"
    title: str
    lesson: str                         # the lesson that explains it: "06, LayerNorm"
    tasks: tuple[Task, ...]
    hints: tuple[str, ...]
    uses: tuple[str, ...] = ()          # earlier exercises that it builds on
    parts: tuple[str, ...] = ()         # classes of parts.py that an answer may use

    @property
    def filename(self) -> str:
        """Name of the student's file."""
        return f"{self.id}_{self.name}.py"

    @property
    def wanted(self) -> tuple[str, ...]:
        """The names that the student's file defines."""
        return tuple(dict.fromkeys(task.function.split(".")[0] for task in self.tasks))

    @property
    def points(self) -> int:
        """Total points of all tasks."""
        return sum(task.points for task in self.tasks)
