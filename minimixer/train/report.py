"""Writes the report of a finished run: report.md with its curves, its confusion matrix and its mistakes."""

from collections.abc import Sequence

import numpy as np

from minimixer import files, plots
from minimixer import functional as F
from minimixer.autograd import no_grad
from minimixer.backend import to_device, to_numpy
from minimixer.nn import MlpMixer
from minimixer.tensor import Tensor
from minimixer.text import markdown, printable
from minimixer.train import checkpoint
from minimixer.train.estimate import duration
from minimixer.train.harder import harder_and_easier
from minimixer.train.initialize import Run
from minimixer.train.measured import best_of, counted, tests_of
from minimixer.train.resume import BEST, LAST
from minimixer.train.state import History
from minimixer.train.targets import floor_of_loss, kind_of_labels

NAMED = 5           # classes
RULE = ("(The rule: the Wilson intervals of the accuracy on the images of the class, and on those of all other "
        "classes, do not overlap; they hold at 95% for all classes together.)")
SEE_IT = "\nSee it: `minimixer play` with the path of this folder opens a page in which you draw and it answers.\n"


def write(run: Run, best_logits: np.ndarray | None) -> None:
    """Write curves.png, confusion.png, mistakes.png and report.md into the run folder.

    best_logits: (N, classes), those of the test images with the best weights; None if they are not known any more.
    """
    run.state.history.check_folder()
    out, dataset = run.state.history.out, run.dataset
    logits = logits_of_best(run) if best_logits is None else best_logits
    title = f"{dataset.name}, {run.model_name}: {run.state.model.num_parameters():,} parameters"
    floor = floor_of_loss(run.config, dataset)
    plots.curves(run.state.history.metrics, out / "curves.png", title,
                 f"training, {kind_of_labels(run.config)}" if floor else "training", floor)
    with no_grad():
        probabilities = F.softmax(Tensor(logits)).data          # (N, classes)
    predicted, sure = probabilities.argmax(1), probabilities.max(1)             # (N,)
    labels = dataset.test_labels
    counts = confusion_matrix(labels, predicted, dataset.num_classes)
    plots.confusion(counts, dataset.class_names, out / "confusion.png", f"{title}, best weights")
    wrong = np.flatnonzero(predicted != labels)
    wrong = wrong[np.argsort(-sure[wrong], kind="stable")][:20]
    names = [printable(name, 40) for name in dataset.class_names]
    captions = [f"{names[labels[i]]}, not {names[predicted[i]]} ({sure[i]:.0%})" for i in wrong]
    plots.image_grid(dataset.test_images[wrong], captions, out / "mistakes.png",
                     "Most confident mistakes: true class, predicted class, confidence")
    text = report(run, counts, floor)
    files.write_atomically(out / "report.md", text.encode())                    # last: where it is, all of it is there


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts, (num_classes, num_classes): row the true class, column the predicted one."""
    return np.bincount(labels * num_classes + predicted, minlength=num_classes**2).reshape(num_classes, num_classes)


def logits_of_best(run: Run) -> np.ndarray:
    """Logits (N, classes) of the test images with the weights of best.safetensors; the run's own weights stay."""
    model = run.state.model
    kept = model.state_dict()
    best = run.state.history.out / BEST
    checkpoint.load(best if best.exists() else best.with_name(LAST), model)
    logits = to_numpy(run.sharded.alone().predict(to_device(run.dataset.test_images, run.device)))    # the others wait
    model.load_state_dict(kept)
    return logits


def final_test(history: History) -> str:
    """What the test images said of weights that were chosen without them."""
    looks = [line for line in history.metrics if "test_accuracy" in line]
    times = "once" if len(looks) == 1 else f"{len(looks)} times"
    return (f"{looks[-1]['test_accuracy']:.2%}, loss {looks[-1]['test_loss']:.3f} nats; the test images were looked at "
            f"{times}, and chose nothing")


def classes_told_apart(counts: np.ndarray, class_names: Sequence[str]) -> str:
    """Which classes are harder or easier than the rest, and by which rule; counts: (K, K)."""
    right, images = counts.diagonal(), counts.sum(1)                        # (K,)

    def named(chosen: np.ndarray) -> str:
        shown = [f"{markdown(class_names[i], 40)} ({right[i] / images[i]:.0%})" for i in chosen[:NAMED]]
        return ", ".join(shown) + (f" and {len(chosen) - NAMED:,} more" if len(chosen) > NAMED else "")

    harder, easier = harder_and_easier(right, images)
    found = [f"{what} than the rest: {named(chosen)}." for what, chosen in (("Harder", harder), ("Easier", easier))
             if len(chosen)]
    return " ".join([*(found or ["No class is clearly harder or easier than the rest."]), RULE])


def training_loss(run: Run, floor: float) -> str:
    """The last training loss beside the smallest one that its labels allow."""
    found = [line["train_loss"] for line in run.state.history.metrics if "train_loss" in line]
    last = f"{found[-1]:.3f} nats in the end" if found else "not kept"
    return (f"{last}, on {kind_of_labels(run.config)}: no model gets below {floor:.3f} on these, and the test loss is "
            "on labels as they are")


def report(run: Run, counts: np.ndarray, floor: float = 0.0) -> str:
    """The text of report.md; the floor is that of the training loss."""
    config, state, history, dataset = run.config, run.state, run.state.history, run.dataset
    part, tests = tests_of(history.metrics)
    last = tests[-1]
    rows = [
        (f"{part} accuracy after the last epoch", f"{last[f'{part}_accuracy']:.2%}, loss {last[f'{part}_loss']:.3f} "
                                                  "nats"),
        (f"best {part} accuracy", best_of(history.metrics)),
        *([] if part == "test" else [("test accuracy of the best weights", final_test(history))]),
        *([("training loss", training_loss(run, floor))] if floor else []),
        ("model", f"{run.model_name} ({type(state.model).__name__}), {state.model.num_parameters():,} parameters"),
        ("data", f"{dataset.name}: {counted(dataset)}, {dataset.num_classes} classes"),
        ("training", f"{state.step:,} steps of {config.batch_size} images, {config.optimizer}, learning rate "
                     f"{config.lr:g} ({config.schedule}), {duration(state.seconds)}"),
    ]
    if run.source is not None:
        rows.append(("started with", f"the weights of {run.source['init_from']}"))
    table = "\n".join(f"| {name} | {markdown(value)} |" for name, value in rows)
    return (f"# {markdown(run.model_name)} on {markdown(dataset.name)}\n\n| | |\n| --- | --- |\n{table}\n\n"
            f"{classes_told_apart(counts, dataset.class_names)}\n\n"
            "![Loss and accuracy against epochs](curves.png)\n\n![Confusion matrix](confusion.png)\n\n"
            "![The most confident mistakes](mistakes.png)\n\n"
            "`config.json` holds the whole configuration, `metrics.jsonl` every number, `best.safetensors` the best "
            "weights, `last.safetensors` what `--resume` needs.\n"
            + SEE_IT * isinstance(state.model, MlpMixer))
