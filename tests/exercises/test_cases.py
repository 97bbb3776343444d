"""Every wrong answer against every case: no case is idle, and answers that only one case catches are known."""

from collections import defaultdict
from functools import cache

import pytest

from minimixer.exercises.checker import answer, cases_of
from minimixer.exercises.evidence import observe
from minimixer.exercises.imitate import imitation
from tests.support.answers import load, mutants, names, source

# A case without need would only cost time.  These are needed for what no wrong answer here shows.
IDLE = {
    ("ex01", "unbroadcast"): {"gy of shape (2, 3), shape = (2, 3)", "gy of shape (1, 3), shape = (1, 3)",
                              "gy of shape (1,), shape = (1,)"},       # nothing to do is right for many
}


def is_right(outcome):
    return outcome.raised is None and not outcome.wrote and outcome.again == "same" and all(
        leaf.verdict == "right" for leaf in outcome.leaves)


@cache
def table(name):
    """For each task the cases that catch each wrong answer: task -> answer -> labels."""
    caught = {task.name: {} for task in load(name).tasks}
    for task in load(name).tasks:
        wrong = {}
        for mutant in mutants():
            if mutant.exercise == name and task in mutant.tasks and mutant.path.stem != "too_slow":
                namespace = {}
                exec(compile(mutant.code, mutant.path.name, "exec"), namespace)
                wrong[mutant.path.stem] = answer(task.function, namespace).function
        for number, mistake in enumerate(task.mistakes):
            if (function := imitation(task, (mistake,))) is not None:
                wrong[f"{mistake.id} {number}"] = function
        for stem, function in wrong.items():
            caught[task.name][stem] = [case.label for case in cases_of(task)
                                       if not is_right(observe(task, function, case))]
    return caught


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_every_case_catches_somebody_and_everybody_is_caught(name, capsys):
    for task in load(name).tasks:
        found = table(name)[task.name]
        assert all(found.values()), [stem for stem, labels in found.items() if not labels]
        needed = {label for labels in found.values() for label in labels}
        idle = {case.label for case in cases_of(task)} - needed
        idle = {label for label in idle if label.removesuffix(", transposed memory") not in IDLE.get((name,
                                                                                                      task.name), ())}
        assert not idle, f"{task.function}: no wrong answer needs {sorted(idle)}"
        alone = defaultdict(list)
        for stem, labels in found.items():
            bases = {label.removesuffix(", transposed memory") for label in labels}
            if len(bases) == 1:
                alone[bases.pop()].append(stem)
        with capsys.disabled():
            for label, stems in sorted(alone.items()):
                print(f"\n{task.function}: only {label} catches {', '.join(stems)}", end="")


@pytest.mark.parametrize("name", names())
def test_cases_hold_float64_and_say_their_shapes(name):
    for task in load(name).tasks:
        assert len({case.label for case in cases_of(task)}) == len(cases_of(task))
        for case in cases_of(task):
            arrays = [argument for argument in case.arguments if hasattr(argument, "dtype")]
            assert all(array.dtype.kind != "f" or array.dtype == "float64" for array in arrays)


def test_the_references_use_no_array_that_a_case_shares():
    """Calling the right answer leaves the cases, which are made once, as they were."""
    for name in ("ex01", "ex06", "ex11"):
        namespace = {}
        exec(compile(source(name), name, "exec"), namespace)
        for task in load(name).tasks:
            function = answer(task.function, namespace).function
            assert all(is_right(observe(task, function, case)) for _ in range(2) for case in cases_of(task))
