"""Reads pickles that hold data only, and executes nothing: the Python edition of CIFAR consists of pickles.

A pickle is a program for a small machine, and its instructions can import any function and call it.  This is another
machine for the same instructions.  It imports nothing and calls nothing of the pickle's choosing: the few names that a
pickled NumPy array needs are compared with a table, and what they would have made is made here.  So the result consists
of arrays, lists, tuples, dicts, bytes, strings, numbers, True, False and None, whatever the bytes are.

Python's ``pickletools`` describes the instructions.
"""

import re
import struct
from collections.abc import Callable
from typing import Any

from minimixer.data.sources.pickle_values import CALLS, NAMES, Dtype, Name, PickleRefusedError, Unfilled, fill
from minimixer.text import printable

MOST_INSTRUCTIONS = 500_000         # CIFAR-100 has about 200,000; each can take 150 bytes of memory
LONGEST_NUMBER = 16                 # bytes of an integer
LONGEST_LINE = 1000                 # bytes of a number or name written as text
ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|[0-7]{1,3}|[^x0-9])", re.DOTALL)         # in a quoted string
PLAIN = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}
MARK = object()


def load(content: bytes) -> Any:
    """What a pickle holds, if that is data.

    Parameters
    ----------
    content : bytes
        Of any protocol, 0 to 5.  Byte strings of Python 2 become bytes.

    Returns
    -------
    object
        Arrays of booleans, integers and floats; list, tuple, dict with str and bytes as keys; bytes, str, int, float,
        bool, None.  They take at most a few times ``len(content)`` of memory, and 75 MB.

    Raises
    ------
    PickleRefusedError
        For anything else, and for damaged bytes.
    """
    machine = _Machine(content)
    try:
        return _finished(machine.run())
    except PickleRefusedError:
        raise
    # What damaged bytes lead to: a missing operand, a list where a number belongs, text that is none.
    except (IndexError, TypeError, ValueError, KeyError, AttributeError, OverflowError, struct.error,
            RecursionError) as error:
        raise PickleRefusedError(f"it is damaged near byte {machine.at:,} ({type(error).__name__})") from None


def _finished(value: Any) -> Any:
    """The result, with the arrays in its lists and dicts in their places."""
    root = [value]
    waiting: list[Any] = [root]
    seen = set()
    while waiting:
        holder = waiting.pop()
        if id(holder) in seen:
            continue
        seen.add(id(holder))
        for key, item in list(holder.items() if isinstance(holder, dict) else enumerate(holder)):
            if isinstance(item, Unfilled) and item.value is not None and not isinstance(holder, tuple):
                holder[key] = item.value
            elif isinstance(item, Name | Dtype | Unfilled) or item is MARK:
                raise PickleRefusedError("it holds something that is no data")
            elif isinstance(item, list | tuple | dict):
                waiting.append(item)
    return root[0]


class _Machine:
    """Runs the instructions of one pickle."""

    def __init__(self, content: bytes):
        self.content = content
        self.at = 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.spare = 2 * len(content) + (1 << 16)       # bytes that copies may take

    def run(self) -> Any:
        for _ in range(MOST_INSTRUCTIONS):
            code = self.take(1)
            if code == b".":
                return self.stack.pop()
            if code not in INSTRUCTIONS:
                what = "makes objects, not data: nothing was run" if code in REFUSED else "is no instruction"
                raise PickleRefusedError(f"byte {self.at - 1:,} ({code!r}) {what}")
            INSTRUCTIONS[code](self)
        raise PickleRefusedError(f"it has more than {MOST_INSTRUCTIONS:,} instructions")

    def take(self, count: int) -> bytes:
        """The next bytes."""
        if not 0 <= count <= len(self.content) - self.at:
            raise PickleRefusedError(f"it ends within {count:,} bytes that byte {self.at:,} announces")
        self.at += count
        return self.content[self.at - count:self.at]

    def number(self, form: str) -> Any:
        """The next number, as ``struct`` calls its form."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> bytes:
        """Up to the end of the line, without it."""
        end = self.content.find(b"\n", self.at, self.at + LONGEST_LINE)
        if end < 0:
            raise PickleRefusedError(f"the line at byte {self.at:,} does not end")
        found = self.content[self.at:end]
        self.at = end + 1
        return found

    def pop_to_mark(self) -> list[Any]:
        """What was pushed since the last mark."""
        for place in range(len(self.stack) - 1, -1, -1):
            if self.stack[place] is MARK:
                found = self.stack[place + 1:]
                del self.stack[place:]
                return found
        raise PickleRefusedError(f"there is no mark before byte {self.at:,}")

    def pop(self) -> Any:
        """The last value; never a mark."""
        value = self.stack.pop()
        if value is MARK:
            raise PickleRefusedError(f"a value is missing before byte {self.at:,}")
        return value

    def append(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise PickleRefusedError(f"byte {self.at:,} appends to what is no list")
        target += items

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not dict or len(items) % 2:
            raise PickleRefusedError(f"byte {self.at:,} sets items of what is no dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Text and bytes only: their hashes are salted, so nobody can make a dict slow.
            if type(key) not in (str, bytes):
                raise PickleRefusedError(f"a key of a dict is {type(key).__name__}, expected text")
            target[key] = value

    def look_up(self, module: str, name: str) -> None:
        kind = NAMES.get((module, name))
        if kind is None:
            raise PickleRefusedError(f"it asks for {printable(f'{module[:80]}.{name[:80]}')}, which is no data: "
                                     "nothing was run")
        self.stack.append(Name(kind))

    def reduce(self) -> None:
        """Make what a call of the table's functions would have made."""
        arguments, function = self.pop(), self.pop()
        if type(function) is not Name or type(arguments) is not tuple or function.kind not in CALLS:
            raise PickleRefusedError(f"byte {self.at:,} calls what is no function of the table: nothing was run")
        if function.kind == "bytes" and arguments and type(arguments[0]) is str:
            self.spend(len(arguments[0]))
        self.stack.append(CALLS[function.kind](*arguments))

    def spend(self, count: int) -> None:
        """Account for memory that does not lie in the pickle itself."""
        self.spare -= count
        if self.spare < 0:
            raise PickleRefusedError("it would take far more memory than its own size")


def _integer(machine: _Machine, length: int) -> int:
    if not 0 <= length <= LONGEST_NUMBER:
        raise PickleRefusedError(f"a whole number has {length:,} bytes, expected at most {LONGEST_NUMBER}")
    return int.from_bytes(machine.take(length), "little", signed=True)


def _int_line(line: bytes) -> int:
    return line == b"01" if line in (b"00", b"01") else int(line.removesuffix(b"L"))


def _quoted(line: bytes) -> bytes:
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
        raise PickleRefusedError("a string has no quotes")
    return ESCAPE.sub(_character, line[1:-1])


def _character(escape: re.Match[bytes]) -> bytes:
    code = escape[1]
    if code[:1] == b"x":
        return bytes.fromhex(code[1:].decode())
    return bytes([int(code, 8) % 256]) if code.isdigit() else PLAIN.get(code, code)


def _drop(machine: _Machine) -> None:
    machine.stack.pop()


def _store(machine: _Machine, key: int) -> None:
    machine.memo[key] = machine.stack[-1]


def _tuple(machine: _Machine, count: int) -> None:
    machine.stack.append(tuple(reversed([machine.pop() for _ in range(count)])))


def _stack_global(machine: _Machine) -> None:
    name, module = machine.pop(), machine.pop()
    if type(name) is not str or type(module) is not str:
        raise PickleRefusedError("it asks for a name that is no text")
    machine.look_up(module, name)


def _dict_of(machine: _Machine) -> None:
    items = machine.pop_to_mark()
    machine.stack.append({})
    machine.set_items(items)


def _set_item(machine: _Machine) -> None:
    value, key = machine.pop(), machine.pop()
    machine.set_items([key, value])


def _build(machine: _Machine) -> None:
    state = machine.pop()
    fill(machine.stack[-1], state)


def _pushes(make: Callable[[_Machine], Any]) -> Callable[[_Machine], None]:
    return lambda machine: machine.stack.append(make(machine))


INSTRUCTIONS: dict[bytes, Callable[[_Machine], Any]] = {
    b"\x80": lambda m: m.take(1),                                       # the protocol
    b"\x95": lambda m: m.take(8),                                       # the length of a frame
    b"(": _pushes(lambda m: MARK), b"0": _drop, b"1": lambda m: m.pop_to_mark(), b"2": _pushes(lambda m: m.stack[-1]),
    b"N": _pushes(lambda m: None), b"\x88": _pushes(lambda m: True), b"\x89": _pushes(lambda m: False),
    # numbers
    b"I": _pushes(lambda m: _int_line(m.line())), b"L": _pushes(lambda m: _int_line(m.line())),
    b"J": _pushes(lambda m: m.number("<i")), b"K": _pushes(lambda m: m.number("<B")),
    b"M": _pushes(lambda m: m.number("<H")), b"\x8a": _pushes(lambda m: _integer(m, m.number("<B"))),
    b"\x8b": _pushes(lambda m: _integer(m, m.number("<i"))),
    b"F": _pushes(lambda m: float(m.line())), b"G": _pushes(lambda m: m.number(">d")),
    # text and bytes
    b"S": _pushes(lambda m: _quoted(m.line())), b"T": _pushes(lambda m: m.take(m.number("<i"))),
    b"U": _pushes(lambda m: m.take(m.number("<B"))), b"B": _pushes(lambda m: m.take(m.number("<I"))),
    b"C": _pushes(lambda m: m.take(m.number("<B"))), b"\x8e": _pushes(lambda m: m.take(m.number("<Q"))),
    b"\x96": _pushes(lambda m: m.take(m.number("<Q"))),
    b"V": _pushes(lambda m: m.line().decode("raw-unicode-escape")),
    b"X": _pushes(lambda m: m.take(m.number("<I")).decode("utf-8", "surrogatepass")),
    b"\x8c": _pushes(lambda m: m.take(m.number("<B")).decode("utf-8", "surrogatepass")),
    b"\x8d": _pushes(lambda m: m.take(m.number("<Q")).decode("utf-8", "surrogatepass")),
    # lists, tuples and dicts
    b"]": _pushes(lambda m: []), b"l": _pushes(lambda m: m.pop_to_mark()),
    b"a": lambda m: m.append([m.pop()]), b"e": lambda m: m.append(m.pop_to_mark()),
    b")": _pushes(lambda m: ()), b"t": _pushes(lambda m: tuple(m.pop_to_mark())),
    b"\x85": lambda m: _tuple(m, 1), b"\x86": lambda m: _tuple(m, 2), b"\x87": lambda m: _tuple(m, 3),
    b"}": _pushes(lambda m: {}), b"d": _dict_of, b"s": _set_item, b"u": lambda m: m.set_items(m.pop_to_mark()),
    # what was stored
    b"p": lambda m: _store(m, int(m.line())), b"q": lambda m: _store(m, m.number("<B")),
    b"r": lambda m: _store(m, m.number("<I")), b"\x94": lambda m: _store(m, len(m.memo)),
    b"g": _pushes(lambda m: m.memo[int(m.line())]), b"h": _pushes(lambda m: m.memo[m.number("<B")]),
    b"j": _pushes(lambda m: m.memo[m.number("<I")]),
    # arrays
    b"c": lambda m: m.look_up(m.line().decode("ascii"), m.line().decode("ascii")), b"\x93": _stack_global,
    b"R": lambda m: m.reduce(), b"b": _build,
}
# Persistent objects, instances, classes, extensions, sets, buffers.
REFUSED = frozenset((b"P", b"Q", b"i", b"o", b"\x81", b"\x82", b"\x83", b"\x84", b"\x8f", b"\x90", b"\x91", b"\x92",
                     b"\x97", b"\x98"))
