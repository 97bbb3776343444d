"""What to write instead of what a Tensor does not do."""

from typing import Any, NoReturn

# What to write instead of a function of NumPy that is handed a Tensor; for others the sentence says where to look.
METHODS = frozenset(["abs", "argmax", "argmin", "cumsum", "exp", "log", "max", "mean", "min", "reshape", "sqrt",
                     "std", "sum", "swapaxes", "tanh", "transpose", "var"])
FUNCTIONS = frozenset(["broadcast_to", "clip", "concatenate", "cos", "cosh", "einsum", "expand_dims", "expm1", "flip",
                       "log1p", "maximum", "minimum", "pad", "repeat", "roll", "sign", "sin", "sinh", "split",
                       "squeeze", "stack", "where"])
OTHER_NAMES = {"absolute": "abs", "amax": "max", "amin": "min"}


def instead_of(name: str) -> str:
    """One sentence for who hands a Tensor to ``np.name``."""
    name = OTHER_NAMES.get(name, name)
    write = (f"write x.{name}()" if name in METHODS else f"write minimixer.functional.{name}" if name in FUNCTIONS
             else "use minimixer's own operators and functions")
    return (f"np.{name} was handed a Tensor, and would lose its history: {write}, or np.{name} of the bare array, "
            "x.data")


# What people call on a Tensor, and what to write; other unknown names get Python's own words.  (A __getattr__ that
# explained all of them would make every other attribute slower.)
ELSEWHERE = {
    **{name: f"write minimixer.functional.{name}(x)" for name in (
        "avg_pool2d", "batch_norm", "cross_entropy", "embedding", "gelu", "group_norm", "layer_norm", "linear",
        "log_softmax", "logsumexp", "matmul", "max_pool2d", "patches", "relu", "softmax", "softplus", "unfold",
        *FUNCTIONS)},
    "astype": "convert the array before it becomes a Tensor", "clone": "write minimixer.Tensor(x.data.copy())",
    "contiguous": "leave it out", "copy": "write x.data.copy()", "cpu": 'write x.to("cpu")',
    "cuda": 'write x.to("gpu")', "dot": "write x @ y", "mm": "write x @ y", "numel": "write x.size",
    "float": "convert the array before it becomes a Tensor", "permute": "write x.transpose(0, 2, 1)",
    "tolist": "write x.data.tolist()",
    "unsqueeze": "write minimixer.functional.expand_dims(x, axis)", "view": "write x.reshape(2, -1)",
    "zero_grad": "write x.grad = None"}


class Elsewhere:
    """A name that Tensors do not have, but that is asked for."""

    def __init__(self, name: str):
        self.name = name

    def __get__(self, instance: Any, owner: type) -> NoReturn:
        raise AttributeError(f"a Tensor has no attribute {self.name!r}: {ELSEWHERE[self.name]}", name=self.name,
                             obj=instance)
