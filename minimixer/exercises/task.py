"""What defines an exercise: its tasks, their test cases, and their known mistakes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

# Names of the returned tensors, nested like the result: ("y", ("saved x", "saved weight")); None: not compared.
Names: TypeAlias = str | tuple["Names", ...] | None
Function: TypeAlias = Callable[..., Any]


@dataclass(frozen=True)
class Case:
    """One call of the student's function, and the expected result."""

    label: str                          # "B = 2, S = 3, C = 5, transposed"
    arguments: tuple[Any, ...]
    expected: Any                       # arrays and numbers, nested like the task's names
    sizes: Mapping[str, int] = field(default_factory=dict)      # names for constant factors
    transposed: bool = False            # the arrays are views of transposed memory


@dataclass(frozen=True)
class Mistake:
    """A known wrong answer, and the hint that leads away from it.

    ``imitate`` makes the mistake: called like the student's function, it returns what a student with this mistake would
    return.  Without it, another test recognizes the mistake.
    """

    id: str
    title: str                          # what is wrong, in one line
    text: str                           # where to look; never the answer
    imitate: Function | None = None


@dataclass(frozen=True)
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

    @property
    def filename(self) -> str:
        """Name of the student's file."""
        return f"{self.id}_{self.name}.py"

    @property
    def points(self) -> int:
        """Total points of all tasks."""
        return sum(task.points for task in self.tasks)
