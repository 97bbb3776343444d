"""What the grader and the process of an answer say to each other: JSON, with the bytes of the arrays behind it.

No pickle: a message can hold numbers, text, arrays, tuples, lists and dicts, and references to functions and graph
nodes of the side that sends them.  Each side treats what it reads as hostile: sizes, kinds and shapes are checked.
"""

import json
import math
import socket
import struct
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

LENGTHS = struct.Struct(">II")              # bytes of JSON, bytes of arrays
LARGEST = 8 << 20                           # bytes of either
LARGEST_ARRAY = 1 << 20                     # bytes; a larger one is named, not sent
MOST_ITEMS = 50_000                         # of all tuples, lists and dicts of one message
DEEPEST = 20
TEXT = 400                                  # characters


class WireError(Exception):
    """What came over the wire is not a message, or there is none."""


class Opaque:
    """A value that cannot be sent; ``kind`` says what it was."""

    def __init__(self, kind: str):
        self.kind = kind


class Node:
    """A step of a computation: ``parents``, and ``backward`` (gy -> one gradient per parent), None for a leaf."""

    backward: Callable[[Any], Any] | None

    def __init__(self, parents: tuple["Node", ...] = (), backward: Callable[[Any], Any] | None = None):
        self.before = parents
        self.backward = backward
        self.visits = 0             # how often somebody asked for its parents
        self.written = False        # whether a walk from here modified a gradient that it was given

    @property
    def parents(self) -> tuple["Node", ...]:
        """The nodes that it was computed from."""
        self.visits += 1
        return self.before


def kind_of(value: Any) -> str:
    """What a value is, for a message to people."""
    if isinstance(value, Opaque):
        return value.kind
    if isinstance(value, np.ndarray) and value.dtype.kind not in "fiubc":
        return f"ndarray of dtype {value.dtype}"[:TEXT]
    return type(value).__name__[:TEXT]


class Wire:
    """One end of the connection.

    Parameters
    ----------
    stream : socket.socket
    remote : callable, optional
        Makes a function from the number of one that the other side offers.
    """

    def __init__(self, stream: socket.socket, remote: Callable[[int], Callable[..., Any]] | None = None):
        self.stream = stream
        self.remote = remote
        self.patience: float | None = None                  # seconds that may still be spent waiting
        self.offered: list[Callable[..., Any]] = []         # functions that the other side may call
        self.nodes: list[Node] = []
        self.numbers: dict[int, int] = {}                   # of the nodes, by id

    def send(self, *message: Any) -> None:
        """Send one message.  Raises WireError; TimeoutError if nobody takes it in time."""
        writer = _Writer(self)
        tree = writer.write(message, 0)
        head = json.dumps([tree, writer.arrays]).encode()
        body = b"".join(writer.body)
        if max(len(head), len(body)) > LARGEST:
            raise WireError("the message is too large")
        self._wait(lambda: self.stream.sendall(LENGTHS.pack(len(head), len(body)) + head + body))

    def _wait(self, step: Callable[[], Any]) -> Any:
        """Do what may have to wait for the other side, and count the seconds.  Raises WireError, TimeoutError."""
        begin = time.monotonic()
        try:
            if self.patience is not None:
                self.stream.settimeout(max(self.patience, 1e-3))
            return step()
        except TimeoutError:
            raise
        except OSError as error:
            raise WireError(f"the connection ended: {error}") from None
        finally:
            if self.patience is not None:
                self.patience -= time.monotonic() - begin

    def receive(self) -> tuple[Any, ...]:
        """The next message.  Raises WireError; TimeoutError if none comes in time."""
        sizes = LENGTHS.unpack(self._read(LENGTHS.size))
        if max(sizes) > LARGEST:
            raise WireError("a message is too large")
        head, body = map(self._read, sizes)
        try:
            tree, arrays = json.loads(head)
            message = _Reader(self, arrays, body).read(tree, 0)
        except (ValueError, TypeError, KeyError, IndexError, RecursionError, AttributeError, OverflowError):
            raise WireError("a message cannot be read") from None
        if not isinstance(message, tuple) or not message or not isinstance(message[0], str):
            raise WireError("a message has no kind")
        return message

    def _read(self, size: int) -> bytes:
        found = bytearray()
        while len(found) < size:
            if self.patience is not None and self.patience <= 0:
                raise TimeoutError
            piece = self._wait(partial(self.stream.recv, min(size - len(found), 1 << 16)))
            if not piece:
                raise WireError("the connection ended")
            found += piece
        return bytes(found)


class _Writer:
    """Turns values into JSON; an array that occurs twice is sent once, so that it is one array on the other side."""

    def __init__(self, wire: Wire):
        self.wire = wire
        self.arrays: list[list[Any]] = []           # dtype, shape, order of the axes in memory
        self.body: list[bytes] = []
        self.known: dict[int, tuple[int, Any]] = {}         # by id; holds the array, so that the id stays its own
        self.items = 0

    def write(self, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, (np.ndarray, np.generic)):
            return self._array(value)
        if isinstance(value, (int, float)):
            fits = isinstance(value, float) or -(2**63) <= value < 2**63
            return (float(value) if isinstance(value, float) else int(value)) if fits else {"o": "int"}
        if isinstance(value, str):
            return value if self.wire.remote is None else value[:TEXT]
        if isinstance(value, Node):
            return self._node(value)
        if isinstance(value, (tuple, list, dict)):
            self.items += len(value)
            if depth > DEEPEST or self.items > MOST_ITEMS:
                return {"o": f"{type(value).__name__} of {len(value)} items"}
            inner: list[Any] = [self.write(item, depth + 1)
                                for item in (value.items() if isinstance(value, dict) else value)]
            return {"d" if isinstance(value, dict) else "t" if isinstance(value, tuple) else "l": inner}
        if callable(value) and self.wire.remote is None:
            self.wire.offered.append(value)
            return {"f": len(self.wire.offered) - 1}
        return {"o": kind_of(value)}

    def _array(self, value: Any) -> Any:
        if id(value) in self.known:
            return {"a": self.known[id(value)][0]}
        array = np.asarray(value)
        if array.dtype.kind not in "fiubc" or array.nbytes > LARGEST_ARRAY:
            return {"o": kind_of(value) if array.dtype.kind not in "fiubc" else f"ndarray of shape {array.shape}"}
        order = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
        self.body.append(array.transpose(order).tobytes())
        self.arrays.append([array.dtype.str, list(array.shape), order])
        self.known[id(value)] = len(self.arrays) - 1, value
        return {"a": len(self.arrays) - 1}

    def _node(self, root: Node) -> Any:
        number = self.wire.numbers
        if self.wire.remote is not None:            # the nodes belong to the other side
            return {"n": number[id(root)]} if id(root) in number else {"o": "Node"}
        graph = []
        for node in walk(root):
            if id(node) not in number:
                number[id(node)] = len(self.wire.nodes)
                self.wire.nodes.append(node)
                graph.append([number[id(node)], [number[id(parent)] for parent in node.before],
                              self.write(node.backward, DEEPEST)])
        return {"g": graph, "root": number[id(root)]}


class _Reader:
    """The inverse of _Writer; raises one of the errors that ``receive`` expects."""

    def __init__(self, wire: Wire, arrays: Any, body: bytes):
        self.wire = wire
        self.arrays = list(self._arrays(arrays, body))
        self.items = 0

    @staticmethod
    def _arrays(described: Any, body: bytes) -> Iterator[np.ndarray]:
        start = 0
        for name, shape, order in described:
            dtype = np.dtype(str(name))
            if dtype.kind not in "fiubc" or len(shape) > 32 or not all(type(n) is int and n >= 0 for n in shape):
                raise ValueError
            if sorted(order) != list(range(len(shape))):
                raise ValueError
            stop = start + math.prod(shape) * dtype.itemsize
            if stop > len(body):
                raise ValueError
            flat = np.frombuffer(body[start:stop], dtype).reshape([shape[axis] for axis in order])
            yield flat.copy().transpose(np.argsort(order)) if shape else flat.reshape(()).copy()
            start = stop

    def read(self, tree: Any, depth: int) -> Any:
        if tree is None or isinstance(tree, (bool, int, float, str)):
            return tree
        self.items += 1
        if depth > DEEPEST + 2 or self.items > MOST_ITEMS * 3:
            raise ValueError
        (kind, inner), *more = tree.items()
        if kind == "a":
            return self.arrays[_index(inner)]
        if kind in ("t", "l", "d"):
            items = [self.read(item, depth + 1) for item in inner]
            return tuple(items) if kind == "t" else items if kind == "l" else dict(items)
        if kind == "o":
            return Opaque(str(inner)[:TEXT])
        if kind == "n":
            return self.wire.nodes[_index(inner)]
        if self.wire.remote is None:                # only the grader offers functions and graphs
            raise ValueError
        if kind == "f":
            return self.wire.remote(_index(inner))
        for number, parents, backward in inner:
            if number != len(self.wire.nodes):
                raise ValueError
            self.wire.nodes.append(Node(tuple(self.wire.nodes[i] for i in parents), self.read(backward, depth)))
            self.wire.numbers[id(self.wire.nodes[-1])] = number
        return self.wire.nodes[_index(more[0][1])]


def _index(number: Any) -> int:
    if type(number) is not int or number < 0:
        raise ValueError
    return number


def walk(root: Node) -> list[Node]:
    """All nodes of a graph, each after its parents."""
    order: list[Node] = []
    seen: set[int] = set()
    stack: list[tuple[Node, bool]] = [(root, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((parent, False) for parent in reversed(node.before))
    return order


def arrays_in(value: Any) -> Iterator[np.ndarray]:
    """All arrays in nested tuples and lists."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from arrays_in(item)
