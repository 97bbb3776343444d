"""What a finished run shows of itself: curves, confusion, mistakes, and a report that a person can read."""

from typing import TYPE_CHECKING

import numpy as np

from minimixer import functional as F
from minimixer import plots
from minimixer.autograd import no_grad
from minimixer.backend import to_device, to_numpy
from minimixer.tensor import Tensor
from minimixer.train import checkpoint
from minimixer.train.rehearsal import duration
from minimixer.train.resume import BEST

if TYPE_CHECKING:
    from minimixer.train.loop import Training


def write(training: "Training") -> None:
    """Write curves.png, confusion.png, mistakes.png and report.md into the run folder."""
    out, dataset = training.history.out, training.dataset
    title = f"{training.config.data}, {training.config.model}: {training.model.num_parameters():,} parameters"
    plots.curves(training.history.metrics, out / "curves.png", title)
    with no_grad():
        probabilities = F.softmax(Tensor(_best_logits(training))).data          # (N, classes)
    predicted, sure = probabilities.argmax(1), probabilities.max(1)             # (N,)
    labels = dataset.test_labels
    counts = confusion_matrix(labels, predicted, dataset.num_classes)
    plots.confusion(counts, dataset.class_names, out / "confusion.png", f"{title}, best weights")
    wrong = np.flatnonzero(predicted != labels)
    wrong = wrong[np.argsort(-sure[wrong], kind="stable")][:20]
    names = dataset.class_names
    captions = [f"{names[labels[i]]}, not {names[predicted[i]]} ({sure[i]:.0%})" for i in wrong]
    plots.image_grid(dataset.test_images[wrong], captions, out / "mistakes.png",
                       "Most confident mistakes: what it is, what was said, how sure")
    (out / "report.md").write_text(report(training, counts), encoding="utf-8")


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts, (num_classes, num_classes): row the true class, column the predicted one."""
    return np.bincount(labels * num_classes + predicted, minlength=num_classes**2).reshape(num_classes, num_classes)


def _best_logits(training: "Training") -> np.ndarray:
    """Of the test pictures; computed again from best.safetensors where the run was resumed after its best test."""
    if training.best_logits is None:
        kept = training.model.state_dict()
        checkpoint.load(training.history.out / BEST, training.model)
        images = to_device(training.dataset.test_images, training.device)
        training.best_logits = to_numpy(training.sharded.alone().predict(images))    # the other processes wait
        training.model.load_state_dict(kept)
    return training.best_logits


def report(training: "Training", counts: np.ndarray) -> str:
    """The text of report.md."""
    config, history, dataset = training.config, training.history, training.dataset
    tests = [line for line in history.metrics if "test_accuracy" in line]
    best = max(tests, key=lambda line: line["test_accuracy"])
    right = counts.diagonal() / np.maximum(counts.sum(1), 1)
    order = np.argsort(right, kind="stable")
    rows = [
        ("best test accuracy", f"{best['test_accuracy']:.2%} after epoch {best['epoch']:g}"),
        ("last test accuracy", f"{tests[-1]['test_accuracy']:.2%}, loss {tests[-1]['test_loss']:.3f} nats"),
        ("model", f"{config.model} ({type(training.model).__name__}), {training.model.num_parameters():,} parameters"),
        ("data", f"{config.data}: {len(dataset.train_images):,} training and {len(dataset.test_images):,} test "
                 f"pictures, {dataset.num_classes} classes"),
        ("training", f"{training.step:,} steps of {config.batch_size} pictures, {config.optimizer}, learning rate "
                     f"{config.lr:g} ({config.schedule}), {duration(training.seconds)}"),
    ]
    if training.source is not None:
        rows.append(("started with", f"the weights of {training.source['init_from']}"))
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    hardest = ", ".join(f"{dataset.class_names[i]} ({right[i]:.0%})" for i in order[:3])
    easiest = ", ".join(f"{dataset.class_names[i]} ({right[i]:.0%})" for i in order[:-4:-1])
    return (f"# {config.model} on {config.data}\n\n| | |\n| --- | --- |\n{table}\n\n"
            f"Hardest classes: {hardest}. Easiest: {easiest}.\n\n"
            "![Loss and accuracy against epochs](curves.png)\n\n![Which class is taken for which](confusion.png)\n\n"
            "![The most confident mistakes](mistakes.png)\n\n"
            "`config.json` holds the whole configuration, `metrics.jsonl` every number, `best.safetensors` the best "
            "weights, `last.safetensors` what `--resume` needs.\n")
