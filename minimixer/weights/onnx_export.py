"""Write a trained Mixer, ViT or ConvNet as ONNX, with the normalization of its pixels: for programs without minimixer.

Each layer says in ``emit`` which nodes it becomes.  Dropout and StochasticDepth become nothing, as in evaluation.
"""

from collections.abc import Sequence
from functools import singledispatch
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from minimixer.backend import Array, to_numpy
from minimixer.errors import UsageError
from minimixer.files import check_regular, expand, json_text, write_atomically
from minimixer.nn import (
    GELU,
    Attention,
    Conv2d,
    ConvNet,
    GroupNorm,
    LayerNorm,
    Linear,
    MixerBlock,
    MlpBlock,
    MlpMixer,
    Module,
    ResidualBlock,
    VisionTransformer,
    ViTBlock,
)
from minimixer.version import __version__
from minimixer.weights.files import EXPORTED
from minimixer.weights.kinds import WeightsError

OPSET = 20              # the first with Gelu in both forms; onnxruntime reads it since 1.17
IR_VERSION = 9          # of the file format, which came with it
TOLERANCE = 1e-5        # of the largest logit, or of 1


class Graph:
    """The nodes and constants of an ONNX graph in the making; values go by their names."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, array: Array, dtype: Any = np.float32) -> str:
        """A constant array."""
        from onnx import numpy_helper
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(to_numpy(array), dtype), name))
        return name

    def sizes(self, *sizes: int) -> str:
        """A constant shape; 0 keeps an axis, -1 is what is left."""
        return self.constant(np.array(sizes), np.int64)

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Add a node, and return the name of its result."""
        from onnx import helper
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], f"{op}_{len(self.nodes)}", **attributes))
        return name


@singledispatch
def emit(layer: Module, graph: Graph, x: str) -> str:
    """Add what a layer computes to a graph, and return the name of the result.  Raises WeightsError."""
    raise WeightsError(f"a {type(layer).__name__} cannot be written as ONNX: Mixers, ViTs and ConvNets can, made of "
                       "the package's own layers")


@emit.register
def _(layer: Linear, graph: Graph, x: str) -> str:
    product = graph.add("MatMul", x, graph.constant(layer.weight.data))
    return graph.add("Add", product, graph.constant(layer.bias.data))


@emit.register
def _(layer: LayerNorm, graph: Graph, x: str) -> str:
    return graph.add("LayerNormalization", x, graph.constant(layer.weight.data), graph.constant(layer.bias.data),
                     axis=-1, epsilon=layer.eps)


@emit.register
def _(layer: GELU, graph: Graph, x: str) -> str:
    return graph.add("Gelu", x, approximate="tanh" if layer.form == "tanh" else "none")


@emit.register
def _(layer: MlpBlock, graph: Graph, x: str) -> str:
    return emit(layer.fc2, graph, emit(layer.gelu, graph, emit(layer.fc1, graph, x)))


@emit.register
def _(block: MixerBlock, graph: Graph, x: str) -> str:
    y = graph.add("Transpose", emit(block.token_norm, graph, x), perm=[0, 2, 1])            # (B, C, S)
    y = graph.add("Transpose", emit(block.token_mixing, graph, y), perm=[0, 2, 1])          # (B, S, C)
    x = graph.add("Add", x, y)
    return graph.add("Add", x, emit(block.channel_mixing, graph, emit(block.channel_norm, graph, x)))


@emit.register
def _(layer: Attention, graph: Graph, x: str) -> str:
    c, h = layer.out.weight.shape[1], layer.num_heads
    split = graph.sizes(0, 0, h, c // h)
    q, k, v = (graph.add("Transpose", graph.add("Reshape", emit(part, graph, x), split), perm=perm)
               for part, perm in ((layer.query, [0, 2, 1, 3]), (layer.key, [0, 2, 3, 1]), (layer.value, [0, 2, 1, 3])))
    scores = graph.add("MatMul", graph.add("Mul", q, graph.constant(np.array((c // h)**-0.5))), k)      # (B, h, S, S)
    y = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), v)                       # (B, h, S, d)
    y = graph.add("Reshape", graph.add("Transpose", y, perm=[0, 2, 1, 3]), graph.sizes(0, 0, c))
    return emit(layer.out, graph, y)                                                        # (B, S, C)


@emit.register
def _(block: ViTBlock, graph: Graph, x: str) -> str:
    x = graph.add("Add", x, emit(block.attention, graph, emit(block.attention_norm, graph, x)))
    return graph.add("Add", x, emit(block.mlp, graph, emit(block.mlp_norm, graph, x)))


@emit.register
def _(layer: Conv2d, graph: Graph, x: str) -> str:
    kernel, stride, padding = (_pair(value) for value in (layer.kernel_size, layer.stride, layer.padding))
    if not isinstance(layer.filters, Linear):
        raise WeightsError("a Conv2d in groups cannot be written as ONNX: use groups=1")
    weight = to_numpy(layer.filters.weight.data)                                            # (KH * KW * in, out)
    weight = weight.reshape(*kernel, -1, weight.shape[1]).transpose(3, 2, 0, 1)             # (out, in, KH, KW)
    return graph.add("Conv", x, graph.constant(weight), graph.constant(layer.filters.bias.data), kernel_shape=kernel,
                     strides=stride, pads=[*padding, *padding])                             # (B, out, H', W')


@emit.register
def _(layer: GroupNorm, graph: Graph, x: str) -> str:
    ones, zeros = (graph.constant(np.full(layer.groups, value)) for value in (1, 0))
    shape = graph.add("Shape", x)
    grouped = graph.add("Reshape", x, graph.sizes(0, layer.groups, -1))                     # (B, groups, numbers)
    y = graph.add("InstanceNormalization", grouped, ones, zeros, epsilon=layer.eps)
    y = graph.add("Mul", graph.add("Reshape", y, shape), graph.constant(layer.weight.data.reshape(-1, 1, 1)))
    return graph.add("Add", y, graph.constant(layer.bias.data.reshape(-1, 1, 1)))


@emit.register
def _(block: ResidualBlock, graph: Graph, x: str) -> str:
    y = graph.add("Relu", emit(block.norm1, graph, emit(block.conv1, graph, x)))
    y = emit(block.norm2, graph, emit(block.conv2, graph, y))
    x = x if block.shortcut is None else emit(block.shortcut, graph, x)
    return graph.add("Relu", graph.add("Add", x, y))


@emit.register(MlpMixer)
@emit.register(VisionTransformer)
def _(model: Any, graph: Graph, x: str) -> str:
    config = model.config
    p, side = config.patch_size, config.image_size // config.patch_size
    x = graph.add("Reshape", x, graph.sizes(0, side, p, side, p, config.in_channels))
    x = graph.add("Transpose", x, perm=[0, 1, 3, 2, 4, 5])                                  # (B, H/P, W/P, P, P, I)
    x = graph.add("Reshape", x, graph.sizes(0, side * side, p * p * config.in_channels))    # (B, S, P * P * I)
    x = emit(model.stem, graph, x)                                                          # (B, S, C)
    if isinstance(model, VisionTransformer):
        x = graph.add("Add", x, graph.constant(model.position.data))
    for block in model.blocks:
        x = emit(block, graph, x)
    x = graph.add("ReduceMean", emit(model.norm, graph, x), graph.sizes(1), keepdims=0)     # (B, C)
    return emit(model.head, graph, x)


@emit.register
def _(model: ConvNet, graph: Graph, x: str) -> str:
    x = graph.add("Transpose", x, perm=[0, 3, 1, 2])                                        # (B, channels, H, W)
    x = graph.add("Relu", emit(model.norm, graph, emit(model.stem, graph, x)))
    for block in model.blocks:
        x = emit(block, graph, x)
    return emit(model.head, graph, graph.add("ReduceMean", x, graph.sizes(2, 3), keepdims=0))


def _pair(value: Any) -> list[int]:
    return list(value) if isinstance(value, tuple) else [value, value]


def save_onnx(model: Module, path: str | PathLike[str], *, mean: Array, std: Array,
              class_names: Sequence[str] = ()) -> str:
    """Write a model as ONNX: images (B, H, W, channels) of uint8 in, logits (B, classes) of float32 out.

    Pixels are normalized in the graph, with ``mean`` and ``std``, (channels,) on the 0..1 scale.  Class names are in
    the metadata, as a JSON list.

    Returns
    -------
    str
        What was written, for people.

    Raises
    ------
    UsageError
        If the package onnx is not installed.
    WeightsError
        If the model holds a layer that has no form in ONNX.
    OSError
        If the file cannot be written.
    """
    try:
        from onnx import TensorProto, checker, helper
    except ImportError:
        raise UsageError('ONNX needs the packages onnx and onnxruntime: pip install "minimixer[onnx]"') from None
    if type(model) not in (MlpMixer, VisionTransformer, ConvNet):
        emit.dispatch(Module)(model, Graph(), "")
    config, graph = model.config, Graph()           # type: ignore[attr-defined]
    pixels = graph.add("Cast", "images", to=TensorProto.FLOAT)
    centered = graph.add("Sub", pixels, graph.constant(255 * mean))
    emit(model, graph, graph.add("Mul", centered, graph.constant(1 / (255 * std))))
    graph.nodes[-1].output[0] = "logits"
    side = config.image_size
    takes = helper.make_tensor_value_info("images", TensorProto.UINT8, ["B", side, side, config.in_channels])
    gives = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", config.num_classes])
    made = helper.make_graph(graph.nodes, type(model).__name__, [takes], [gives], graph.constants)
    whole = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION,
                              producer_name=EXPORTED, producer_version=__version__)
    helper.set_model_props(whole, {"class_names": json_text(list(class_names))})
    checker.check_model(whole, full_check=True)
    path = expand(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, whole.SerializeToString(deterministic=True))
    return (f"ONNX, opset {OPSET}, {len(graph.nodes)} nodes\n"
            f"  images  uint8 (B, {side}, {side}, {config.in_channels}), pixels in 0..255; the model normalizes them\n"
            f"  logits  float32 (B, {config.num_classes}); their softmax is the probability of every class")


def is_onnx_export(path: Path) -> bool:
    """Whether a file is one that ``save_onnx`` wrote."""
    check_regular(path)
    with path.open("rb") as file:
        head = file.read(64)
    return head[:2] == bytes([0x08, IR_VERSION]) and head[2:4 + len(EXPORTED)] == bytes([0x12, len(EXPORTED)]) + (
        EXPORTED.encode())


def check_onnx(path: Path, images: Array, logits: Array) -> str:
    """Run a file in onnxruntime, and say how far its logits (B, classes) are from these.  Raises WeightsError.

    images: (B, H, W, channels) of uint8.
    """
    try:
        import onnxruntime
    except ImportError:
        return "not checked: onnxruntime is not installed"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    theirs = session.run(["logits"], {"images": images})[0]
    apart = float(np.abs(theirs - logits).max()) / max(1.0, float(np.abs(logits).max()))
    if not apart <= TOLERANCE:
        raise WeightsError(f"{path} gives other logits in onnxruntime {onnxruntime.__version__} than here, "
                           f"by {apart:.1e} of the largest, expected at most {TOLERANCE:.0e}: do not use it")
    return f"checked in onnxruntime {onnxruntime.__version__}: logits differ by {apart:.0e} of the largest"
