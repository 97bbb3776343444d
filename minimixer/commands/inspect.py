"""``minimixer inspect RUN|NAME``: what a model computes, step by step, and what it needs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, cast

import tyro

from minimixer.console import console, parse
from minimixer.errors import OK, UsageError, nearest
from minimixer.files import expand, json_text
from minimixer.nn import MODELS, Model, build, list_pretrained, trace
from minimixer.nn.trace_table import Trace, short
from minimixer.text import printable
from minimixer.train.trained import load_run


@dataclass(frozen=True)
class Inspection:
    """Options of ``minimixer inspect``."""

    model: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="RUN|NAME")]]
    """A size such as micro, B/16 or vit-micro, a run folder, or cifar10-micro, which comes with minimixer."""
    image_size: int | None = None
    """Height and width of the images in pixels, for a size; by default the size's own."""
    json: bool = False
    """Print one JSON object."""


SHOWN_CLASSES = 20
DESCRIPTION = """Each step that one image takes through a model, transposes in plain sight.

With parameters, multiply-adds (MACs) and the memory that training keeps."""


def main(arguments: Sequence[str]) -> int:
    """Trace the model, print its steps, and return the exit code."""
    options = parse(Inspection, "inspect", DESCRIPTION, arguments)
    options = replace(options, model=str(expand(options.model)))
    model, classes = find_model(options)
    traced = trace(model)
    if options.json:
        print(json_text({**as_json(options.model, model, traced), "class_names": classes}))
    else:
        show(options.model, traced, classes)
    return OK


def find_model(options: Inspection) -> tuple[Model, Sequence[str] | None]:
    """The model of a size, or of a run, whose classes have names.  Raises UsageError or CheckpointError."""
    changes: dict[str, Any] = {} if options.image_size is None else {"image_size": options.image_size}
    if options.model in MODELS:
        try:
            return build(options.model, seed=None, **changes), None
        except ValueError as error:
            raise UsageError(f"{options.model}: {error}") from error
    if not Path(options.model).exists() and options.model not in list_pretrained():
        known = [*MODELS, *list_pretrained()]
        raise UsageError(f"there is no size and no run {options.model!r}; {nearest(options.model, known)}")
    if changes:
        raise UsageError(f"--image-size is for sizes such as micro: the model of {options.model} is trained, and what "
                         "mixes its tokens has weights for one number of patches only")
    trained = load_run(options.model)
    return cast(Model, trained.model), trained.class_names       # a model of one's own is refused


def show(name: str, traced: Trace, classes: Sequence[str] | None = None) -> None:
    """Print the trace and its sums as text."""
    out = console()
    print(f"{printable(name, None)}: {traced.parameters:,} parameters, {short(traced.macs)} multiply-adds per image")
    if classes is not None:
        more = f", ... ({len(classes):,} in all)" if len(classes) > SHOWN_CLASSES else ""
        print(f"classes: {', '.join(printable(each, 40) for each in classes[:SHOWN_CLASSES])}{more}")
    print()
    for line in str(traced).splitlines():
        out.print(line, style="bold" if line.lstrip().startswith("swapaxes") else "", soft_wrap=True)
    print(f"\nweights {short(traced.weight_bytes, 'B')}; with gradients and AdamW's moments, in training, "
          f"{short(4 * traced.weight_bytes, 'B')}")
    print(f"kept for the backward pass: {short(traced.kept_bytes, 'B')} of activations per image")


def as_json(name: str, model: Model, traced: Trace) -> dict[str, Any]:
    """The trace and its sums, as ``--json`` prints them."""
    named = {"": traced.first, **{f"blocks.{i}.": block for i, block in enumerate(traced.blocks)}}
    steps = [(prefix, step) for prefix, part in named.items() for step in part] + [("", step) for step in traced.last]
    return {"model": name, "config": asdict(model.config), "parameters": traced.parameters, "macs": traced.macs,
            "weight_bytes": traced.weight_bytes, "kept_bytes": traced.kept_bytes,
            "steps": [asdict(step) | {"name": prefix + step.name} for prefix, step in steps]}
