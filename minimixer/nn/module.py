from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from minimixer import autograd
from minimixer.backend import Array, get_device, to_device, to_numpy
from minimixer.nn.members import members_of
from minimixer.nn.summary import describe
from minimixer.tensor import Tensor

M = TypeVar("M", bound="Module")


class Module:
    """A part of a model: assign Tensors, Modules, lists or dicts of them to attributes, and write ``forward``.

    Nothing is registered.  Parameters are the Tensors made with ``requires_grad=True``.  They are found by walking the
    attributes in the order of their assignment, and named by their path: ``blocks.0.token_norm.weight``,
    ``heads.color.weight``.  A frozen parameter (``requires_grad = False``) and a ``Buffer`` are moved, saved and
    loaded, but not trained.  What cannot be found, such as layers in a set, is an error of the walk.
    """

    training = True

    def forward(self, *inputs: Any) -> Any:
        """Compute the outputs from the inputs; every subclass defines this."""
        raise NotImplementedError(f"{type(self).__name__} has no forward method")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Run ``forward``."""
        return self.forward(*inputs, **options)

    def __repr__(self) -> str:
        return describe(self)

    def _members(self) -> Iterator[tuple[str, Any]]:
        """Name and value of every Module and Tensor among the attributes, in lists and dicts too.  Raises TypeError."""
        return members_of(self, Module, Tensor)

    def _walk(self, prefix: str, above: tuple["Module", ...] = ()) -> Iterator[tuple[str, Any]]:
        """Itself, and with dotted names every Module and Tensor below it, in the order of their assignment."""
        yield prefix, self
        above = *above, self
        for name, member in self._members():
            name = f"{prefix}.{name}" if prefix else name
            if not isinstance(member, Module):
                yield name, member
            elif any(member is module for module in above):
                raise ValueError(f"{name} is a Module that contains this {type(self).__name__} itself: keep the outer "
                                 "one out of the attributes of the inner one")
            else:
                yield from member._walk(name, above)

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """Iterate over this Module, whose name is empty, and every Module below it, with dotted names."""
        return ((name, member) for name, member in self._walk(prefix) if isinstance(member, Module))

    def modules(self) -> Iterator["Module"]:
        """Iterate over this Module and every Module below it."""
        return (module for _, module in self.named_modules())

    def named_tensors(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """Every parameter and buffer with its dotted name, in a fixed order; frozen ones too, and tied ones each time.

        Raises
        ------
        TypeError, ValueError
            If parameters would be lost: in a set, an iterator, an attribute of the class, or behind a computation.
        """
        found: list[tuple[str, Tensor]] = []
        results: list[tuple[str, Tensor]] = []
        for name, member in self._walk(""):
            if isinstance(member, Tensor):
                (found if _belongs(member) else results).append((prefix + name, member))
        _refuse_computed(results, {tensor for _, tensor in found})
        return iter(found)

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """Every trainable parameter once, with its dotted name, in a fixed order."""
        seen: set[Tensor] = set()
        for name, tensor in self.named_tensors(prefix):
            if tensor.requires_grad and tensor not in seen:
                seen.add(tensor)
                yield name, tensor

    def parameters(self) -> list[Tensor]:
        """Every trainable parameter."""
        return [parameter for _, parameter in self.named_parameters()]

    def num_parameters(self) -> int:
        """Number of trainable scalars."""
        return sum(parameter.size for parameter in self.parameters())

    def zero_grad(self) -> None:
        """Set the ``.grad`` of every parameter to None."""
        for parameter in self.parameters():
            parameter.grad = None

    def train(self: M, mode: bool = True) -> M:
        """Switch Dropout, StochasticDepth and BatchNorm to training, in this Module and below."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self: M) -> M:
        """Switch Dropout and StochasticDepth off, and BatchNorm to its averages, in this Module and below."""
        return self.train(False)

    @property
    def device(self) -> str:
        """``"cpu"`` or ``"gpu"``, where the parameters are; ``"cpu"`` if there are none."""
        parameters = (part for _, part in self._walk("") if isinstance(part, Tensor) and _belongs(part))
        return next((parameter.device for parameter in parameters), "cpu")      # a shard asks: the walk ends there

    def to(self: M, device: str) -> M:
        """Move every parameter and buffer to ``"cpu"`` or ``"gpu"``, in place.  Raises DeviceError."""
        get_device(device)
        for _, tensor in self.named_tensors():
            data = to_device(tensor.data, device)
            if data is not tensor.data:             # graphs hold the old array, and would leave gradients there
                tensor.data = data
                autograd.mark_changed([tensor])
            tensor.grad = None
        return self

    def state_dict(self) -> dict[str, Array]:
        """Dotted name -> numpy.ndarray, a copy of each parameter and buffer."""
        return {name: to_numpy(tensor.data).copy() for name, tensor in self.named_tensors()}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Copy arrays into parameters and buffers of the same names, whose dtypes and devices do not change.

        Raises
        ------
        ValueError
            If a name is missing or unexpected, or a shape differs.  The message lists all of them; nothing is changed.
        """
        tensors = dict(self.named_tensors())
        problems = [f"missing {name} {t.shape}" for name, t in tensors.items() if name not in state]
        problems += [f"unexpected {name} {array.shape}" for name, array in state.items() if name not in tensors]
        problems += [f"{name} has shape {state[name].shape}, expected {t.shape}" for name, t in tensors.items()
                     if name in state and state[name].shape != t.shape]
        if problems:
            raise ValueError(f"these weights do not fit this {type(self).__name__}:\n  " + "\n  ".join(problems))
        for name, tensor in tensors.items():
            tensor.data[...] = to_device(state[name], tensor.device)
        autograd.mark_changed(tensors.values())


def _belongs(tensor: Tensor) -> bool:
    """Whether it is a parameter, frozen or not, or a buffer; an activation that ``forward`` kept is none."""
    return tensor.is_parameter or (tensor.requires_grad and not tensor.node)


def _refuse_computed(results: list[tuple[str, Tensor]], found: set[Tensor]) -> None:
    """Refuse ``self.weight = Tensor(array, requires_grad=True) * 0.1``: a result, whose parameter would never move."""
    for name, node in ((name, result.node) for name, result in results if result.node):
        for edge in node.edges:
            if isinstance(edge, Tensor) and edge.is_parameter and edge not in found:
                raise ValueError(f"{name} is the result of {node.op.__name__} on a Tensor of shape {edge.shape} that "
                                 "is no attribute of the model and would not be trained: compute with arrays, and make "
                                 "the Tensor last, Tensor(0.1 * array, requires_grad=True)")
