"""What the names of files and folders say: exercise, student, attempt."""

from datetime import datetime

import pytest

from minimixer.exercises.collect import names
from minimixer.exercises.collect.names import Owner

NOON = datetime(2026, 10, 1, 12, 30).timestamp()


@pytest.mark.parametrize(("name", "exercise"), [
    ("ex06_layernorm.py", "ex06"), ("EX06.ipynb", "ex06"), ("Ex6_layernorm.py", "ex06"), ("ex_06.py", "ex06"),
    ("exercise 6.py", "ex06"), ("Exercise-06.ipynb", "ex06"), ("ex06 (1).py", "ex06"), ("ex06_layernorm-1.py", "ex06"),
    ("Copy of ex06_layernorm.ipynb", "ex06"), ("Copy_of_ex06_layernorm.ipynb", "ex06"),
    ("Kopie von ex06.ipynb", "ex06"),
    ("ex06_layernorm.ipynb.json", "ex06"), ("ex06_layernorm.py.txt", "ex06"), ("jane_ex06.py", "ex06"),
    ("ex06_layernorm (copy).py", "ex06"), ("ex06 - Copy (2).py", "ex06"), ("hw3-ex12.py", "ex12"),
    ("ex060.py", ""), ("ex13.py", ""), ("ex00.py", ""), ("layernorm.py", ""), ("apex06.py", ""),
    ("ex06_and_ex07.py", ""),
    ("index06.py", "")])
def test_the_exercise_of_a_file(name, exercise):
    assert names.exercise_of(name) == exercise
    assert names.is_code(name)


@pytest.mark.parametrize(("name", "number"), [
    ("ex06.py", 0), ("ex06 (1).py", 1), ("ex06(3).ipynb", 3), ("ex06-2.py", 2), ("Copy of ex06.ipynb", 1),
    ("ex06 copy.py", 1), ("ex06 copy 2.py", 2), ("ex06 - Copy.py", 1), ("ex06 - Copy (2).py", 2),
    ("ex06_layernorm.py", 0), ("exercise-6.py", 0), ("ex06 (1).ipynb.json", 1), ("Kopie von ex06.ipynb", 1)])
def test_which_copy_a_file_is(name, number):
    assert names.copy_number(name) == number


@pytest.mark.parametrize(("name", "owner", "own"), [
    ("doejane_1234_56789_ex06_layernorm.py", Owner("doejane", "1234", 56789), "ex06_layernorm.py"),
    ("doejane_LATE_1234_56789_ex06-1.py", Owner("doejane", "1234", 56789, True), "ex06-1.py"),
    ("Jane Doe_98765_assignsubmission_file_ex06.py", Owner("Jane Doe", "98765"), "ex06.py"),
    ("Participant_98765_assignsubmission_file_ex06.py", Owner("Participant", "98765"), "ex06.py"),
    ("HW_1_jdoe_attempt_2026-10-01-12-30-00_ex06.py", Owner("jdoe", "", int(NOON), when=NOON), "ex06.py"),
    ("jane_ex06.py", Owner("jane"), "jane_ex06.py"), ("jane doe - ex06_layernorm.ipynb", Owner("jane doe"), None),
    ("ex06_layernorm.py", None, None), ("Copy of ex06.ipynb", None, None), ("Kopie von ex06.ipynb", None, None),
    ("notes.txt", None, None)])
def test_whose_a_file_is(name, owner, own):
    assert names.owner(name, True) == owner
    assert own is None or names.own_name(name) == own


@pytest.mark.parametrize(("name", "owner"), [
    ("Jane Doe_98765_assignsubmission_file_", Owner("Jane Doe", "98765")),
    ("Jane Doe_98765_assignsubmission_file", Owner("Jane Doe", "98765")),
    ("12345-67890 - Jane Doe - Oct 1, 2026 1230 PM", Owner("Jane Doe", "12345", int(NOON), when=NOON)),
    ("ex06-jane-doe", Owner("jane-doe")), ("ex06-layernorm-jane", Owner("jane")),
    ("ex08_token_mixing-jane-doe", Owner("jane-doe")), ("ex06-1", None), ("jane", None)])
def test_whose_a_folder_is(name, owner):
    assert names.owner(name, False) == owner


@pytest.mark.parametrize(("name", "exercise"), [
    ("ex06", "ex06"), ("Ex 06", "ex06"), ("ex06_layernorm", "ex06"), ("exercise-6", "ex06"), ("ex06.zip", "ex06"),
    ("ex06-submissions", "ex06"), ("ex06-jane", ""), ("jane ex06", ""), ("jane", "")])
def test_folders_of_an_exercise(name, exercise):
    assert names.is_exercise_folder(name) == exercise


def test_the_ids_that_a_platform_gives_are_no_numbers_of_copies():
    assert names.stem("a_1_2_ex06.tar.gz") == "a_1_2_ex06"
    assert names.is_archive("a.ZIP")
    assert not names.is_archive("a.rar")
    assert not names.is_code("a.py~")
