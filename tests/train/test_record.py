"""What is said of how often a model was right: of which images, and whether they chose the weights."""

import json
import shutil

import pytest

import minimixer as mm
from minimixer.train import load_run
from minimixer.train.record import classes_known, how_often_right

AFTER = "\nExpect less on images of another kind."


@pytest.fixture
def run(trained_run, tmp_path):
    return shutil.copytree(trained_run, tmp_path / "run")


def lines_of(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def write(run, lines):
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_of_the_best_weights_it_is_the_accuracy_that_chose_them(run):
    trained, tests = load_run(run), [line for line in lines_of(run) if "test_accuracy" in line]
    measured = mm.train.evaluate(trained, mm.data.load_digits())["accuracy"]
    assert how_often_right(trained) == (f"It was right on {measured:.2%} of 360 test images of digits, which also "
                                        f"chose its weights (the best of {len(tests)} tests).{AFTER}")


def test_of_the_last_weights_it_is_the_last_accuracy(run):
    last = lines_of(run)[-1]["test_accuracy"]
    assert how_often_right(load_run(run / "last.safetensors")) == (
        f"It was right on {last:.2%} of 360 test images of digits.{AFTER}")


def test_with_validation_images_it_is_the_one_look_at_the_test_images(run):
    lines = [{name.replace("test", "validation"): value for name, value in line.items()} for line in lines_of(run)]
    write(run, [*lines, {"step": lines[-1]["step"], "epoch": 3, "test_loss": 1.0, "test_accuracy": 0.625}])
    assert how_often_right(load_run(run)) == (
        f"It was right on 62.50% of 360 test images of digits, which did not choose its weights.{AFTER}")
    assert " of the validation images of digits." in how_often_right(load_run(run / "last.safetensors"))
    write(run, lines)                                       # stopped before that look
    assert " of the validation images of digits, which also chose its weights (the best of " in how_often_right(
        load_run(run))


def test_of_the_package_it_is_that_of_the_card():
    trained = load_run("cifar10-micro")
    facts = json.loads(trained.path.with_suffix(".json").read_text())
    assert how_often_right(trained) == (
        f"It was right on {facts['correct'] / 10_000:.2%} of 10,000 test images of CIFAR-10 (JPEG copy), which also "
        f"chose its weights (the best of {facts['tests']} tests).{AFTER}")


@pytest.mark.parametrize("lost", ["no metrics", "other steps", "another name", "no text"])
def test_what_is_not_recorded_is_not_said(lost, run):
    file = run / "best.safetensors"
    if lost == "no metrics":
        (run / "metrics.jsonl").unlink()
    elif lost == "other steps":
        write(run, [{**line, "step": line["step"] + 1} for line in lines_of(run)])
    elif lost == "another name":
        file = file.rename(run / "mine.safetensors")
    else:
        (run / "metrics.jsonl").unlink()
        (run / "metrics.jsonl").mkdir()
    said = how_often_right(load_run(file))
    assert said.startswith("How often it is right is not recorded beside its weights")
    assert said.endswith(f": measure it with minimixer eval {file}")
    assert ("(the metrics cannot be read" in said) == (lost == "no text")


def test_a_checkpoint_that_says_nonsense_says_nothing_of_this(run):
    trained = load_run(run)
    trained.metadata["images"] = 7
    assert "not recorded" in how_often_right(trained)


def test_tests_of_averaged_weights_say_nothing_of_the_last_ones(run):
    trained = load_run(run / "last.safetensors")
    assert "not recorded" not in how_often_right(trained)
    trained.metadata["settings"]["ema"] = 0.9
    assert "not recorded" in how_often_right(trained)


def test_older_checkpoints_do_not_say_how_many_images_there_were(run):
    trained = load_run(run)
    del trained.metadata["images"]
    assert " of the test images of digits, which" in how_often_right(trained)


def test_a_few_classes_are_all_named_and_of_many_some(run):
    trained = load_run(run)
    assert classes_known(trained) == "It knows only 0, 1, 2, 3, 4, 5, 6, 7, 8, 9: each answer is one of these."
    object.__setattr__(trained, "class_names", tuple(f"c{i}" for i in range(1000)))
    assert classes_known(trained) == ("It knows only 1,000 classes, such as c0, c1, c2, c3, c4: each answer is one of "
                                      "them.")
