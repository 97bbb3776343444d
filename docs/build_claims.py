"""Build claims.md and its figures from the JSON files in docs/claims: ``python docs/build_claims.py [FOLDER]``.

With a folder of results, such as runs/experiments, its JSON files first replace those of the same name.  No number of
the page is written by hand: tests compare the page with what the files give.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from minimixer.errors import UsageError
from minimixer.experiments import stored
from minimixer.experiments.figures import OPTIMIZER_NAMES
from minimixer.experiments.report import arms_table, figure_of, judged, verdict_of
from minimixer.experiments.runs import Runs
from minimixer.experiments.table import EXPERIMENTS
from minimixer.experiments.verdicts import RULE
from minimixer.files import sha256_of, write_atomically
from minimixer.plots.style import save

DOCS = Path(__file__).parent
STORED, PAGE, IMAGES = DOCS / "claims", DOCS / "claims.md", DOCS / "images"
OF_THE_MACHINE = ("machine", "expected_minutes")

INTRODUCTION = """# Claims

The paper's claims, re-measured on a small scale, and some of our own. The scale is not the paper's: its models have 18
to 431 million parameters and train for days on 1 to 300 million images. Ours have about 88,000 (`pico`) and train for
minutes on CIFAR-10 (JPEG copy). An effect that needs scale cannot be shown this way. Each verdict follows from the runs
by [one rule](#the-rule)."""

BUILT = """`python docs/build_claims.py` builds this page from the files in `docs/claims`, which hold every run. All
figures show every seed as a dot, the mean, and its 95 % interval. Colors: green holds, red does not hold, gray cannot
be told; a claim holds in the tinted part of its row."""

COMMANDS = """```console
$ minimixer experiments all --data-dir FOLDER              # everything; stopped, the same command goes on
$ minimixer experiments permutation --data-dir FOLDER      # one experiment
$ minimixer experiments permutation --estimate             # how long it would take here
$ minimixer experiments permutation --redraw               # print and draw the last measurement again
```"""

NOTES = {
    "complexity": """"Linear" requires a D_S chosen independently of S. The paper's own rule for fine-tuning on larger
images breaks this: it multiplies D_S by the same factor as S ([weights](weights.md)); that is the second model. The
scaling only shows at larger S: with few patches, the Linear layers that all three share make up nearly all of the
cost.""",
    "patch-size": """The models do not have exactly the same number of parameters: the stem grows with P, token mixing
with S.""",
    "data-size": """Each seed draws its own share of the images, the same one for all models, and larger shares
contain smaller ones.""",
    "permutation": """One permutation shuffles the patches of all images, another the pixels inside each patch; a third
one shuffles all pixels. In the exact test, only the rows of the stem and, in token mixing, the rows of fc1 and the
columns and biases of fc2 are permuted to match. Images are not shifted or flipped: that would undo their order.""",
    "token-weights": """Pairs are *selected* to be opposites, so noise has them too: a correlation only means something
compared with untrained weights.""",
    "embedding-filters": """Untrained weights are white noise, whose mean frequency depends on the number of pixels. So
patch sizes are compared twice: in cycles per pixel, and as a share of the noise's frequency.""",
    "cnn-identity": """"The converse is not true", adds the paper; lesson 14 shows a property of ordinary CNNs that a
Mixer does not have. The gradient of the second bias of token mixing is zero up to rounding, because LayerNorm removes
anything added to all channels of a patch; it is compared relative to the largest gradients.""",
    "ablation": """Without token mixing, patches only interact in the mean at the end. AdamW trains all variants: Muon
would leave out the MLPs per channel, whose weights have three axes.""",
    "pareto": """The lead is taken at the lowest and the highest cost that both families have, and on average over
the costs in between; the accuracy between two models of a family is interpolated.""",
    "robustness": """`experiments/corruptions.py` states what each severity does. The corruptions are not those of
ImageNet-C, so numbers cannot be compared with published ones.""",
}


def contents() -> dict[str, dict[str, Any]]:
    """The files in docs/claims by experiment, in the order of the table of experiments."""
    return {name: stored.read(path) for name in EXPERIMENTS if (path := STORED / f"{name}.json").exists()}


def take(folder: Path) -> None:
    """Replace the files of docs/claims by those of a folder of results.  Raises UsageError if it holds none."""
    found = {name: folder / f"{name}.json" for name in EXPERIMENTS if (folder / f"{name}.json").exists()}
    if not found:
        raise UsageError(f"{folder} holds no results of an experiment: expected NAME.json")
    STORED.mkdir(exist_ok=True)
    for name, path in found.items():
        stored.write(STORED / f"{name}.json", {key: value for key, value in stored.read(path).items()
                                               if key not in OF_THE_MACHINE})


def page() -> str:
    """The whole text of claims.md."""
    every = contents()
    parts = [INTRODUCTION, summary(every), BUILT, "## The rule", RULE, "## Measure again", COMMANDS, times(every)]
    for name in EXPERIMENTS:
        parts += section(name, every.get(name))
    return "\n\n".join(parts) + "\n"


def times(every: dict[str, dict[str, Any]]) -> str:
    """How long the runs of this page took, and how long all would take as one command."""
    minutes = {name: content["seconds"] / (120 if hasattr(EXPERIMENTS[name].load(), "training") else 60)
               for name, content in every.items()}
    each = ", ".join(f"{name} {value:.0f}" if value >= 1 else f"{name} less than 1" for name, value in minutes.items())
    total = sum(experiment.minutes for experiment in EXPERIMENTS.values())
    return (f"The runs of this page took {sum(minutes.values()) / 60:.1f} hours on two cores, two training runs "
            f"at a time on one thread\neach. In minutes: {each}.\n\nOne after the other on two threads, all take about "
            f"{total / 60:.1f} hours with five seeds: one night.")


def heading(name: str) -> str:
    """The heading of an experiment's section."""
    return name.replace("-", " ").replace("cnn", "CNN").capitalize().replace("Cnn", "CNN")


def summary(every: dict[str, dict[str, Any]]) -> str:
    """The table of all claims."""
    rows = []
    for name, experiment in EXPERIMENTS.items():
        runs = stored.runs_of(every[name]) if name in every else Runs([])
        for claim in judged(experiment.load().CLAIMS, runs):
            ours = "; ".join(f"{part['label']}: {figure_of(part, claim['digits'])}" for part in claim["parts"])
            rows.append([f"[{claim['says']}](#{heading(name).lower().replace(' ', '-')})",
                         f"{claim['paper']} ({claim['where']})",
                         f"{claim['quantity']} ({claim['unit']}): {ours or 'not measured'}", f"**{claim['verdict']}**"])
    return rows_of(["claim", "paper", "ours, with 95 % interval", "verdict"], rows)


def rows_of(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table whose cells are as wide as their text."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows))


def section(name: str, content: dict[str, Any] | None) -> Iterator[str]:
    """The section of one experiment: figure, how it was measured, tables, notes."""
    module = EXPERIMENTS[name].load()
    yield f"## {heading(name)}"
    yield module.__doc__.split("\n\n", 1)[1].strip().replace("``", "`").replace("  ", " ")
    if content is None:
        yield f"Not measured yet: `minimixer experiments {name}`."
    else:
        yield f"![{EXPERIMENTS[name].claim}](images/claims-{name}.png)"
        yield measured_with(content)
        runs = stored.runs_of(content)
        if rows := arms_table(module, runs):
            yield rows
        if claims := judged(module.CLAIMS, runs):
            yield rows_of(["claim", "quantity", "value (95 % interval)", "unit", "holds if", "verdict"],
                          [[claim["says"], part["label"], figure_of(part, claim["digits"]), claim["unit"],
                            claim["limits"], verdict_of(part)] for claim in claims for part in claim["parts"]])
    if name in NOTES:
        yield NOTES[name]


def measured_with(content: dict[str, Any]) -> str:
    """One paragraph on what the runs of a file were made with."""
    of = content["options"]
    if of.get("run"):
        what = f"the model `{of['run']}`"
    elif "steps" in of:
        what = f"{of['model']}, {of['steps']:,} steps of {of['batch_size']} images"
        if "optimizer" in of:
            lr = "its own learning rate" if of["lr"] is None else f"learning rate {of['lr']:g}"
            what += f", {OPTIMIZER_NAMES[of['optimizer']]} with {lr}"
    else:
        what = str(of["model"])
    seeds = sorted({line["seed"] for line in content["runs"]})
    return (f"Measured with {what}; seed{'s' * (len(seeds) != 1)} {', '.join(map(str, seeds))}; "
            f"{content['described']}.")


def draw(name: str) -> None:
    """Draw the figure of one experiment; the file says which numbers it was drawn from."""
    path = STORED / f"{name}.json"
    content, module = stored.read(path), EXPERIMENTS[name].load()
    runs = stored.runs_of(content)
    save(module.draw(runs, judged(module.CLAIMS, runs)), IMAGES / f"claims-{name}.png", f"sha256:{sha256_of(path)}")


def main(arguments: list[str]) -> None:
    """Take over results, if a folder is given; build the page and its figures."""
    for folder in arguments:
        take(Path(folder))
    for name, content in contents().items():            # the claims may have changed since the runs were made
        claims = judged(EXPERIMENTS[name].load().CLAIMS, stored.runs_of(content))
        stored.write(STORED / f"{name}.json", content | {"claims": claims})
        draw(name)
    write_atomically(PAGE, page().encode())


if __name__ == "__main__":
    main(sys.argv[1:])
