"""What all optimizers share: parameters, a learning rate, and the arrays that they remember."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Protocol, TypeAlias

from minimixer.autograd import mark_changed
from minimixer.backend import Array, Module, array_module, as_array
from minimixer.tensor import Tensor


class HasParameters(Protocol):
    """A Module."""

    def named_parameters(self) -> Iterable[tuple[str, Tensor]]:
        """Every trainable parameter with its name."""


Parameters: TypeAlias = HasParameters | Iterable[Tensor]


class Optimizer:
    """What all optimizers share: parameters, a learning rate to set before each step, and arrays they remember.

    ``state`` maps a name ("m") to one array a parameter, in the parameters' order; ``step_count`` is the number of
    steps made.  Both, with the learning rate, are all that a checkpoint must keep.
    """

    def __init__(self, params: Parameters, lr: float, weight_decay: float, decay_vectors: bool,
                 remembered: Sequence[str]):
        if lr < 0 or weight_decay < 0:
            raise ValueError(f"lr is {lr} and weight_decay {weight_decay}: expected numbers >= 0")
        self.names, self.params = named(params)
        self.lr = lr
        # Biases and the scales and shifts of norms are vectors; the others are matrices.
        self.decays = [weight_decay if decay_vectors or p.ndim > 1 else 0.0 for p in self.params]
        self.step_count = 0
        self.state: dict[str, list[Array]] = {
            name: [array_module(p.data).zeros_like(p.data) for p in self.params] for name in remembered}

    def step(self, gradients: Iterable[Array] | None = None, factor: Array | None = None) -> None:
        """Change every parameter once, in place; call ``backward`` first on graphs that still need the old numbers.

        Parameters
        ----------
        gradients : iterable of array, optional
            One a parameter, as ``grad`` returns them; without it the parameters' ``.grad`` is used.
        factor : array, shape (), optional
            Scales the gradients on the way, such as that of ``clip_factor``.

        Raises
        ------
        ValueError
            If there are not as many gradients as parameters, one has another shape, or a ``.grad`` is missing: then
            no parameter is changed.
        DeviceError
            If parameters, gradients and what the optimizer remembers do not live on one device.
        """
        given = [p.grad for p in self.params] if gradients is None else list(gradients)
        if len(given) != len(self.params):
            raise ValueError(f"{len(given)} gradients for {len(self.params)} parameters: expected one each")
        for i, g in enumerate(given):
            if g is None:
                raise ValueError(self._why_no_gradient(i))
            g = given[i] = as_array(g)          # numbers of NumPy, such as half of a 0-d array, become arrays
            if g.shape != self.params[i].shape:
                raise ValueError(f"the gradient of parameter {i} has shape {g.shape}, expected that of the parameter, "
                                 f"{self.params[i].shape}")
        remembered = chain.from_iterable(self.state.values())
        xp = array_module(*(p.data for p in self.params), *given, *remembered)
        self.step_count += 1
        self._update(xp, given, factor)
        mark_changed(self.params)

    def zero_grad(self) -> None:
        """Set the ``.grad`` of every parameter to None: ``backward`` adds to what is there."""
        for p in self.params:
            p.grad = None

    def _why_no_gradient(self, i: int) -> str:
        which = f"{self.names[i]} of shape {self.params[i].shape} has no .grad"
        if all(p.grad is None for p in self.params):
            return f"{which}, nor has any other parameter: call loss.backward() first"
        if not self.params[i].requires_grad:
            return f"{which}, it was frozen: make the optimizer after that, from what shall be trained"
        return (f"{which}, the loss did not depend on it: if that is meant, leave it out of the optimizer, or write "
                "step(minimixer.grad(loss, optimizer.params)), which takes zeros")

    def _update(self, xp: Module, gradients: Sequence[Array], factor: Array | None) -> None:
        raise NotImplementedError


def named(params: Any) -> tuple[list[str], list[Tensor]]:
    """The parameters of a Module or a sequence, and what messages call them.

    Raises
    ------
    TypeError
        If it is one Tensor or a function, or something in it is no Tensor.
    ValueError
        If there are none, one is there twice, or is not a leaf that wants a gradient.
    """
    if hasattr(params, "named_parameters"):
        found = list(params.named_parameters())
    elif isinstance(params, Tensor):
        raise TypeError("params is one Tensor, expected a Module or a list of Tensors: [x]")
    elif callable(params):
        raise TypeError("params is a function, expected a Module or a list of Tensors: call it, model.parameters()")
    else:
        found = [(f"parameter {i}", p) for i, p in enumerate(params)]
    if not found:
        raise ValueError("there is nothing to optimize: the list of parameters is empty")
    seen: dict[int, str] = {}
    for name, p in found:
        if not isinstance(p, Tensor):
            raise TypeError(f"{name} is a {type(p).__name__}, expected a Tensor: give the optimizer a Module or "
                            "model.parameters()")
        if p.node is not None or not p.requires_grad:
            raise ValueError(f"{name} of shape {p.shape} is {'a result' if p.node else 'a Tensor without a gradient'}, "
                             "expected one made with requires_grad=True")
        if (first := seen.setdefault(id(p), name)) != name:
            raise ValueError(f"{name} is the same Tensor as {first}, and would be moved twice: give it once")
    return [name for name, _ in found], [p for _, p in found]
