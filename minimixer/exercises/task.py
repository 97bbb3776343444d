"""What an exercise is: tasks, the inputs they are tried on, and the mistakes that are known by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

# Names of what a function returns, nested as it is: ("y", ("saved x", "saved weight")); None: not compared.
Names: TypeAlias = str | tuple["Names", ...] | None
Function: TypeAlias = Callable[..., Any]


@dataclass(frozen=True)
class Case:
    """One call of the student's function, and what it should return."""

    label: str                          # "B = 2, S = 3, C = 5, transposed"
    arguments: tuple[Any, ...]
    expected: Any                       # arrays and numbers, nested as the task's names
    sizes: Mapping[str, int] = field(default_factory=dict)      # what a constant factor may be called
    transposed: bool = False            # the arrays are views of transposed memory


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that is known, with the words that lead away from it.

    ``imitate`` makes the mistake: called as the student's function is, it returns what a student with this mistake
    returns.  Without it, the mistake is named by another test.
    """

    id: str
    title: str                          # one line: what is wrong
    text: str                           # where to look, never the answer
    imitate: Function | None = None


@dataclass(frozen=True)
class Task:
    """One function to write."""

    name: str                           # "backward"
    function: str                       # where it is in the student's file: "LayerNorm.backward"
    points: int
    outputs: Names
    cases: Callable[[], list[Case]]
    mistakes: tuple[Mistake, ...] = ()
    errors: Mapping[str, Mistake] = field(default_factory=dict)     # by the name of the exception
    tolerance: float = 1e-6             # of the largest entry
    has_gradient: bool = False          # the first argument is the gradient that comes in
    call: Callable[[Function, Case], Any] = lambda function, case: function(*case.arguments)


@dataclass(frozen=True)
class Exercise:
    """One file to fill in."""

    id: str                             # "ex06"
    name: str                           # "layernorm"
    title: str
    lesson: str                         # where it is explained: "06, LayerNorm"
    tasks: tuple[Task, ...]
    hints: tuple[str, ...]
    uses: tuple[str, ...] = ()          # earlier exercises that it calls

    @property
    def filename(self) -> str:
        """The student's file."""
        return f"{self.id}_{self.name}.py"

    @property
    def points(self) -> int:
        """Points of all tasks."""
        return sum(task.points for task in self.tasks)
