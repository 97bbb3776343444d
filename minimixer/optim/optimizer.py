"""What all optimizers share: parameters, a learning rate, and the arrays that they remember."""

from collections.abc import Iterable, Sequence
from itertools import chain

from minimixer.autograd import mark_changed
from minimixer.backend import Array, Module, array_module, as_array
from minimixer.tensor import Tensor


class Optimizer:
    """What all optimizers share: parameters, a learning rate to set before each step, and arrays they remember.

    ``state`` maps a name ("m") to one array a parameter, in the parameters' order; ``step_count`` is the number of
    steps made.  Both, with the learning rate, are all that a checkpoint must keep.
    """

    def __init__(self, params: Sequence[Tensor], lr: float, weight_decay: float, decay_vectors: bool,
                 remembered: Sequence[str]):
        if lr < 0 or weight_decay < 0:
            raise ValueError(f"lr is {lr} and weight_decay {weight_decay}: expected numbers >= 0")
        self.params = list(params)
        if not self.params:
            raise ValueError("there is nothing to optimize: the list of parameters is empty")
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
            If there are not as many gradients as parameters, one has another shape, or a ``.grad`` is missing.
        DeviceError
            If parameters, gradients and what the optimizer remembers do not live on one device.
        """
        given = [p.grad for p in self.params] if gradients is None else list(gradients)
        if len(given) != len(self.params):
            raise ValueError(f"{len(given)} gradients for {len(self.params)} parameters: expected one each")
        for i, g in enumerate(given):
            if g is None:
                raise ValueError(f"parameter {i} of shape {self.params[i].shape} has no .grad: call loss.backward() "
                                 "first")
            g = given[i] = as_array(g)          # numbers of NumPy, such as half of a 0-d array, become arrays
            if g.shape != self.params[i].shape:
                raise ValueError(f"the gradient of parameter {i} has shape {g.shape}, expected that of the parameter, "
                                 f"{self.params[i].shape}")
        remembered = chain.from_iterable(self.state.values())
        xp = array_module(*(p.data for p in self.params), *given, *remembered)
        self.step_count += 1
        self._update(xp, given, factor)
        mark_changed(self.params)

    def _update(self, xp: Module, gradients: Sequence[Array], factor: Array | None) -> None:
        raise NotImplementedError
