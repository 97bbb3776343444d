"""The grader graded: no stub passes, no reference fails, and every wrong answer is told why."""

import inspect
import re

import pytest

from minimixer.exercises.checker import check_task
from minimixer.exercises.evidence import Answer
from minimixer.exercises.imitate import imitation
from minimixer.exercises.report import Report
from minimixer.exercises.words import WORDS
from tests.support.answers import load, mutants, names, run, source, student_version
from tests.support.common_bugs import PAGE, page

ALIKE = {"own-eps"}          # a tiny eps has the results of none
every_exercise = pytest.mark.parametrize("name", names())
every_mutant = pytest.mark.parametrize("mutant", mutants(), ids=lambda m: f"{m.exercise}-{m.path.stem}")


def solution_lines(name):
    """Every line and every formula of a solution, without spaces; plain names are not formulas."""
    blocks = re.findall(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", source(name), re.DOTALL)
    lines = {re.sub(r"\s", "", line.split("#")[0]) for block in blocks for line in block.splitlines()}
    halves = {half for line in lines for half in re.split(r"(?<![=<>!])=(?!=)|return", line)}
    return {line for line in lines | halves if len(line) > 8 and re.search(r"[-+*/@(\[]", line)}


def leaks(name, text):
    squeezed = re.sub(r"\s", "", text)
    return [line for line in solution_lines(name) if line in squeezed]


@every_exercise
def test_a_stub_is_not_started(name):
    results = run(student_version(name), name)
    assert {result.status for result in results} == {"not-started"}
    report = Report(load(name), tuple(results))
    assert not report
    assert report.exit_code == 3
    assert sum(result.earned for result in results) == 0


@every_exercise
def test_the_reference_passes(name):
    results = run(source(name), name)
    report = Report(load(name), tuple(results))
    assert report.ok, str(report)
    assert report.exit_code == 0
    assert sum(result.earned for result in results) == load(name).points == 10


@every_mutant
def test_a_wrong_answer_gets_its_own_diagnosis(mutant):
    results = run(mutant.code, mutant.exercise)
    wrong = [result for result in results if result.status != "pass"]
    assert [result.function for result in wrong] == [task.function for task in mutant.tasks]
    assert [result.diagnosis.id for result in wrong] == [mutant.diagnosis] * len(wrong)
    text = str(Report(load(mutant.exercise), tuple(results)))
    assert leaks(mutant.exercise, text) == []
    assert max(map(len, text.splitlines())) <= 80


def test_there_are_enough_mutants_of_every_exercise():
    assert len(mutants()) >= 60
    for name in names():
        assert sum(mutant.exercise == name for mutant in mutants()) >= 5
    assert {mutant.exercise for mutant in mutants()} == set(names())


@every_exercise
def test_words_that_may_be_said_hold_no_solution(name):
    exercise = load(name)
    texts = [*exercise.hints, *(part for words in WORDS.values() for part in words)]
    texts += [part for task in exercise.tasks for mistake in (*task.mistakes, *task.errors.values())
              for part in (mistake.title, mistake.text)]
    assert [leak for text in texts for leak in leaks(name, text)] == []


def test_a_leak_would_be_found():
    assert leaks("ex06", "look at this: gx = rstd * (g - through_mean - through_variance)")
    assert leaks("ex12", "write  return peak*(step + 1)/warmup_steps")


@pytest.mark.slow
@every_exercise
def test_every_known_mistake_of_an_exercise_is_a_wrong_answer(name):
    """An imitation is checked as an answer: it must fail, with the diagnosis it stands for."""
    for task in load(name).tasks:
        for mistake in task.mistakes:
            if (function := imitation(task, (mistake,))) is None:
                continue
            result = check_task(task, Answer(function))
            assert result.status != "pass", mistake.id
            assert result.diagnosis.id.split(":")[0] == mistake.id or mistake.id in ALIKE, (mistake.title, result)


def test_the_sources_name_the_functions_that_are_checked():
    for name in names():
        namespace = {}
        exec(compile(source(name), name, "exec"), namespace)
        for task in load(name).tasks:
            first, *rest = task.function.split(".")
            function = getattr(namespace[first], rest[0]) if rest else namespace[first]
            assert inspect.getdoc(function)


@pytest.mark.slow
def test_the_page_of_common_bugs_equals_its_generator():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.support.common_bugs"
