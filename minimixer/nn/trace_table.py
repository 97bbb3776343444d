"""The result of ``nn.trace``: every step of a model, printed as a table."""

from collections.abc import Sequence
from dataclasses import dataclass

from minimixer.nn.summary import blocks_title, group_equal


@dataclass(frozen=True)
class Step:
    """One op that ran.

    Attributes
    ----------
    name : str
        Its layer, such as ``token_mixing.fc1``; or the op if no layer runs it: ``swapaxes``.
    shape : tuple of int
        Of the result; of a Mixer without the batch axis.
    axes : tuple of str
        Of a Mixer, the names of its axes: S, C, D_S, D_C, ...
    parameters : int
        Parameters of the model that this op uses, and no earlier step.
    macs : int
        Multiply-adds for the example, counted for Linear layers, ``@`` and einsum.
    kept_bytes : int
        Memory that it keeps for the backward pass and no earlier step keeps already.
    """

    name: str
    shape: tuple[int, ...]
    axes: tuple[str, ...]
    parameters: int
    macs: int
    kept_bytes: int


@dataclass(frozen=True)
class Trace:
    """Every step of a model in the order it ran; ``print`` it for a table.

    Attributes
    ----------
    first : list of Step
        Before the blocks; all steps, if the model has no list called ``blocks``.
    blocks : list of list of Step
    last : list of Step
        After the blocks.
    weight_bytes : int
        Memory of the parameters.
    """

    first: list[Step]
    blocks: list[list[Step]]
    last: list[Step]
    weight_bytes: int

    @property
    def steps(self) -> list[Step]:
        """All steps, in order."""
        return [*self.first, *(step for block in self.blocks for step in block), *self.last]

    @property
    def parameters(self) -> int:
        """Number of parameters that the steps use."""
        return sum(step.parameters for step in self.steps)

    @property
    def macs(self) -> int:
        """Multiply-adds of the whole model for the example."""
        return sum(step.macs for step in self.steps)

    @property
    def kept_bytes(self) -> int:
        """Bytes of activations that training keeps for the example."""
        return sum(step.kept_bytes for step in self.steps)

    def __str__(self) -> str:
        lines = [_line("step", "shape of the result", "parameters", "MACs", "kept")]
        lines += [_step_line(step) for step in self.first]
        for numbers, block in group_equal(self.blocks):
            lines.append(f"blocks.{numbers[0]}")
            lines += [_step_line(step, "  ") for step in block]
            if len(rest := numbers[1:]):
                lines.append(_line(f"{blocks_title(rest)}: the same, together", "", *_figures(block * len(rest))))
        lines += [_step_line(step) for step in self.last]
        return "\n".join([*lines, _line("all", "", *_figures(self.steps))])


def _step_line(step: Step, indent: str = "") -> str:
    lettered = ["B", *(f"{axis}={n}" for axis, n in zip(step.axes, step.shape, strict=False))]
    shape = ", ".join(lettered) if step.axes else str(step.shape)[1:-1]
    return _line(indent + step.name, f"({shape})", *_figures([step]))


def _figures(steps: Sequence[Step]) -> tuple[str, str, str]:
    parameters, macs, kept = (sum(getattr(step, what) for step in steps) for what in ("parameters", "macs",
                                                                                     "kept_bytes"))
    return f"{parameters:,}" if parameters else "", short(macs) if macs else "", short(kept, "B") if kept else ""


def _line(step: str, shape: str, parameters: str, macs: str, kept: str) -> str:
    if not shape:
        return f"{step:<47}{parameters:>12}{macs:>9}{kept:>9}"
    return f"{step:<25}{shape:<22}{parameters:>12}{macs:>9}{kept:>9}".rstrip()


def short(number: float, unit: str = "") -> str:
    """Format a number with three digits and k, M or G: 12.6 G, 4.53 MB."""
    power = next((power for power in range(3) if number < 999.5 * 1000**power), 3)
    return f"{number / 1000**power:.3g} {('', 'k', 'M', 'G')[power]}{unit}".rstrip()
