from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from minimixer import autograd
from minimixer.backend import Array, get_device, to_device, to_numpy
from minimixer.tensor import Tensor

M = TypeVar("M", bound="Module")


class Module:
    """A part of a model: assign Tensors, Modules and lists of Modules to attributes, and write ``forward``.

    Nothing is registered.  Parameters are the Tensors made with ``requires_grad=True``.  They are found by walking the
    attributes in the order of their assignment, and named by their path: ``blocks.0.token_norm.weight``.  A frozen
    parameter (``requires_grad = False``) is moved, saved and loaded, but not trained.
    """

    training = True

    def forward(self, *inputs: Any) -> Any:
        """Compute the outputs from the inputs; every subclass defines this."""
        raise NotImplementedError(f"{type(self).__name__} has no forward method")

    def __call__(self, *inputs: Any) -> Any:
        """Run ``forward``."""
        return self.forward(*inputs)

    def _members(self) -> Iterator[tuple[str, Any]]:
        """Name and value of every attribute, lists item by item."""
        for name, value in vars(self).items():
            if isinstance(value, (list, tuple)):
                yield from ((f"{name}.{i}", item) for i, item in enumerate(value))
            else:
                yield name, value

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """Iterate over this Module, whose name is empty, and every Module below it, with dotted names."""
        yield prefix, self
        for name, member in self._members():
            if isinstance(member, Module):
                yield from member.named_modules(f"{prefix}.{name}" if prefix else name)

    def modules(self) -> Iterator["Module"]:
        """Iterate over this Module and every Module below it."""
        return (module for _, module in self.named_modules())

    def named_tensors(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """Every parameter with its dotted name, in a fixed order; includes frozen ones, and tied ones each time."""
        for name, member in self._members():
            if isinstance(member, Module):
                yield from member.named_tensors(f"{prefix}{name}.")
            elif isinstance(member, Tensor) and (member.is_parameter or (member.requires_grad and not member.node)):
                yield prefix + name, member

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
        """Switch Dropout and StochasticDepth on, in this Module and below."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self: M) -> M:
        """Switch Dropout and StochasticDepth off, in this Module and below."""
        return self.train(False)

    @property
    def device(self) -> str:
        """``"cpu"`` or ``"gpu"``, where the parameters are; ``"cpu"`` if there are none."""
        return next((tensor.device for _, tensor in self.named_tensors()), "cpu")

    def to(self: M, device: str) -> M:
        """Move every parameter to ``"cpu"`` or ``"gpu"``, in place.  Raises DeviceError if there is no such device."""
        get_device(device)
        for _, tensor in self.named_tensors():
            data = to_device(tensor.data, device)
            if data is not tensor.data:             # graphs hold the old array, and would leave gradients there
                tensor.data = data
                autograd.mark_changed([tensor])
            tensor.grad = None
        return self

    def state_dict(self) -> dict[str, Array]:
        """Dotted name -> numpy.ndarray, a copy of each parameter."""
        return {name: to_numpy(tensor.data).copy() for name, tensor in self.named_tensors()}

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Copy arrays into the parameters of the same names; dtype and device of the parameters do not change.

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
