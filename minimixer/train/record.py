"""How often a trained model was right, and on which images, as its files say."""

from typing import Any

from minimixer.errors import MinimixerError, command_line
from minimixer.files import read_json
from minimixer.nn import list_pretrained
from minimixer.text import printable
from minimixer.train.measured import last_test, tests_of
from minimixer.train.resume import BEST, LAST, read_metrics
from minimixer.train.trained import Trained

LISTED, SHOWN = 20, 5       # so many classes are all named; of more, so many


def classes_known(trained: Trained) -> str:
    """A sentence that names the classes of a model."""
    names = [printable(name, 40) for name in trained.class_names]
    if len(names) > LISTED:
        return f"It knows only {len(names):,} classes, such as {', '.join(names[:SHOWN])}: each answer is one of them."
    return f"It knows only {', '.join(names)}: each answer is one of these."


def how_often_right(trained: Trained) -> str:
    """How often the model was right, on which images, and whether they chose its weights: a sentence or two.

    It comes from the card of a model of the package, or from metrics.jsonl beside the weights of a run.
    """
    try:
        found = _of_the_package(trained) if trained.path in list_pretrained().values() else _of_a_run(trained)
        why = ""
    except (MinimixerError, OSError) as error:
        found, why = None, f" ({printable(str(error).split(': ')[0], None)})"
    except (KeyError, TypeError, ValueError, AttributeError):       # a file that is not as minimixer writes it
        found, why = None, ""
    if found is None:
        measure = command_line("minimixer", "eval", trained.path)
        return f"How often it is right is not recorded beside its weights{why}: measure it with {measure}"
    return f"It was right on {found}.\nExpect less on images of another kind."


def _of_the_package(trained: Trained) -> str:
    facts: dict[str, Any] = read_json(trained.path.with_suffix(".json"))
    return (f"{facts['accuracy']:.2%} of {facts['images']:,} test images of {printable(facts['data'])}"
            f"{_chosen(facts['tests'])}")


def _of_a_run(trained: Trained) -> str | None:
    """None if no line of metrics.jsonl is of these weights."""
    metrics, name = read_metrics(trained.path.parent), trained.path.name
    data, step = printable(trained.metadata.get("data")), trained.metadata.get("step")
    part, tests = tests_of(metrics)
    final = last_test(metrics)
    if part == "validation" and name == BEST and final is not None and final["step"] >= tests[-1]["step"]:
        return f"{final['test_accuracy']:.2%} of {_images(trained, 'test')} of {data}, which did not choose its weights"
    averaged = name == LAST and trained.metadata.get("settings", {}).get("ema")       # the tests were of the averages
    of_these = [line[f"{part}_accuracy"] for line in tests if line["step"] == step]
    if name not in (BEST, LAST) or averaged or not of_these:
        return None
    return f"{of_these[-1]:.2%} of {_images(trained, part)} of {data}{_chosen(len(tests)) if name == BEST else ''}"


def _images(trained: Trained, part: str) -> str:
    count = trained.metadata.get("images", {}).get(part)        # which older checkpoints do not say
    return f"the {part} images" if count is None else f"{count:,} {part} images"


def _chosen(tests: int) -> str:
    return f", which also chose its weights (the best of {tests:,} tests)" if tests > 1 else ""
