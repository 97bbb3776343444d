"""The process of one answer: starting it, asking it, and believing nothing that it says."""

import contextlib
import marshal
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from minimixer.errors import MinimixerError
from minimixer.exercises import foreign, guard, parts, processes, raised, wire, worker
from minimixer.exercises.answers import functions, ipython, python, reader, shell
from minimixer.exercises.answers.python import Cells
from minimixer.exercises.definitions import load
from minimixer.exercises.evidence import Answer, AnswerError
from minimixer.exercises.fence import PLACE, Fence
from minimixer.exercises.raised import ADDRESS, Raised
from minimixer.exercises.wire import Node, Wire, WireError, arrays_in

# The modules that run beside an answer, each after those that it imports.
INSIDE = (wire, raised, foreign, guard, ipython, python, shell, reader, functions, worker)
PACKAGE_ROOT = Path(__file__).parent.parent.parent
MOST_CALLS = 20_000         # of our functions by one answer
LARGEST_GIVEN = 4000        # numbers in an array that an answer gives to one of our functions
CPU_TIME_IS_UP = (-signal.SIGXCPU, 128 + signal.SIGXCPU) if hasattr(signal, "SIGXCPU") else ()
BOOT = """
import marshal, socket, sys, types
stream = socket.socket(fileno=int(sys.argv[1]))
size = int.from_bytes(stream.recv(4, socket.MSG_WAITALL), "big")
for name, code in marshal.loads(stream.recv(size, socket.MSG_WAITALL)):
    module = sys.modules[name] = types.ModuleType(name)
    module.__path__ = []
    package, _, last = name.rpartition(".")
    if package:
        setattr(sys.modules[package], last, module)
    exec(code, vars(module))
module.main(stream)
"""


class CheckerError(MinimixerError):
    """The checker itself cannot run on this machine."""


class EndedError(BaseException):
    """The process of the answer ended; ``how`` is ``timeout`` or a sentence."""

    def __init__(self, how: str):
        super().__init__(how)
        self.how = how


@dataclass(frozen=True)
class Limits:
    """What one submission may use, and what it must not see."""

    seconds: float = 10.0           # CPU time; three times as much wall-clock time
    memory: int = 1 << 30           # bytes of address space
    output: int = 4000              # bytes of printed output to keep
    private: tuple[str, ...] = ()   # folders: the other submissions
    fence: Fence | None = None


class Process:
    """The process of one answer, and the functions in it; a context manager that ends it and all it started."""

    def __init__(self, limits: Limits):
        self.limits = limits
        self.token = secrets.token_hex(16)
        self.output = bytearray()
        self.errors: list[Exception] = []           # that our functions raised
        self.calls = 0
        self.late = False
        self.ended: str | None = None
        self.names: tuple[str, ...] = ()            # of other functions, where one was not found

    def __enter__(self) -> "Process":
        walls = self.limits.fence
        self.scratch = processes.scratch() if walls is None else None
        ours, theirs = socket.socketpair()
        user = walls.user if walls else processes.other_user()
        prefix = walls.command(self.limits.private) if walls else []
        if self.scratch and user is not None:
            os.chown(self.scratch, user, user)
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-P", "-c", BOOT, str(theirs.fileno())], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=(theirs.fileno(),), start_new_session=True,
            env=processes.minimal_environment(self.scratch or PLACE, self.token, PACKAGE_ROOT), cwd=self.scratch or "/",
            user=user, group=user, extra_groups=None if user is None else [])
        processes.active.add(self.process)
        theirs.close()
        assert self.process.stdout
        self.reader = threading.Thread(target=processes.drain, args=(self.process.stdout, self.output,
                                                                     self.limits.output),
                                       daemon=True)
        self.reader.start()
        self.wire = Wire(ours)
        self.wire.patience = 60.0               # until it is ready, on a busy machine
        try:
            with contextlib.suppress(OSError):
                ours.sendall(len(_bundle()).to_bytes(4, "big") + _bundle())
            self.receive()
        except EndedError:
            self.__exit__()
            last = (self.printed().strip() or self.ended or "it ended").splitlines()[-1]
            raise CheckerError(f"the checker could not start ({last}), so nothing was checked: run minimixer doctor, "
                               "and make sure that minimixer and NumPy are installed for the same Python") from None
        self.wire.patience = 3 * self.limits.seconds        # only waiting counts, not our own work
        return self

    def __exit__(self, *_: Any) -> None:
        processes.end(self.process, None if self.limits.fence else self.token)
        self.wire.stream.close()
        self.reader.join(1.0)
        if self.scratch:
            processes.discard(self.scratch)

    def printed(self) -> str:
        """What the code printed, shortened, without what differs from run to run."""
        text = processes.text(bytes(self.output), self.limits.output)
        return ADDRESS.sub("0x...", text.replace(self.scratch, ".") if self.scratch else text)

    def load(self, files: Mapping[str, Cells]) -> tuple[Raised, ...]:
        """Run files in order, the last of which is the answer; return what failed in it."""
        given = {part: {"forward": getattr(parts, part).forward, "backward": getattr(parts, part).backward}
                 for name in files for part in load(name).parts}
        folders = (*self.limits.private, str(PACKAGE_ROOT / "lessons"), str(PACKAGE_ROOT / "minimixer"))
        told = self.ask("load", {"files": [(name, load(name).wanted, tuple(cells)) for name, cells in files.items()],
                                 "parts": given, "seconds": self.limits.seconds, "memory": self.limits.memory,
                                 "private": folders})
        return tuple(replace(self._raised(one[:4]), costs=one[4] is True)
                     for one in told[1:100] if isinstance(one, tuple) and len(one) == 5)

    def find(self, path: str) -> Answer | None:
        """The student's function for a task, or None."""
        _, there, names, started = self._expect(self.ask("find", path), 4)
        names = tuple(str(name)[:60] for name in names[:100]) if isinstance(names, tuple) else ()
        if there is not True:
            self.names = names
            return None
        return Answer(partial(self._call, path), names, started is not False)

    def _call(self, path: str, *arguments: Any) -> Any:
        answer = self.ask("invoke", path, arguments)
        if answer[0] == "returned":
            _, result, changed, on_nodes = self._expect(answer, 4)
            _apply(changed, arguments)
            visits, written = on_nodes if isinstance(on_nodes, tuple) and len(on_nodes) == 2 else (0, True)
            for node in arguments:
                if isinstance(node, Node):
                    node.visits, node.written = visits if type(visits) is int else 0, written is not False
            return result
        *told, origin, _ = self._expect(answer, 7)
        raised = self._raised(tuple(told[1:]))
        if type(origin) is int and 0 <= origin < len(self.errors):          # ours, come back through their code
            kinds = tuple(kind.__name__ for kind in type(self.errors[origin]).__mro__ if kind is not object)
            raised = Raised(kinds, str(self.errors[origin])[:400], raised.file, raised.line, ours=True)
        raise AnswerError(raised)

    def ask(self, *question: Any) -> tuple[Any, ...]:
        """Send a question, serve the calls of our functions, and return the answer.  Raises EndedError."""
        self._send(*question)
        while (answer := self.receive())[0] == "call":
            self._serve(answer)
        return answer

    def receive(self) -> tuple[Any, ...]:
        """The next message.  Raises EndedError."""
        try:
            return self.wire.receive()
        except TimeoutError:
            self._late()
        except WireError:
            self._end()

    def _send(self, *message: Any) -> None:
        try:
            self.wire.send(*message)
        except TimeoutError:
            self._late()
        except WireError:
            self._end()

    def _late(self) -> NoReturn:
        self.late = True
        processes.end_group(self.process)
        self._end()

    def _serve(self, message: tuple[Any, ...]) -> None:
        _, number, arguments, named = self._expect(message, 4)
        self.calls += 1
        if (self.calls > MOST_CALLS or type(number) is not int or not 0 <= number < len(self.wire.offered)
                or not isinstance(arguments, tuple) or not isinstance(named, dict)
                or any(array.size > LARGEST_GIVEN for array in arrays_in((*arguments, *named.values())))):
            self._end("It asked too much of the grader.")
        try:
            with np.errstate(all="ignore"):
                reply: tuple[Any, ...] = "value", self.wire.offered[number](*arguments, **named)
        except Exception as error:
            self.errors.append(error)
            reply = "error", len(self.errors) - 1, type(error).__name__, str(error)[:400]
        self._send(*reply)

    def _expect(self, message: tuple[Any, ...], length: int) -> tuple[Any, ...]:
        if len(message) != length:
            self._end("It wrote to the connection of the grader.")
        return message

    def _raised(self, told: Any) -> Raised:
        """An exception as the process tells of it: untrusted."""
        kinds, text, file, line = told if isinstance(told, tuple) and len(told) == 4 else ((), "", "", 0)
        kinds = tuple(str(kind)[:60] for kind in kinds[:20]) if isinstance(kinds, tuple) else ()
        said = str(text)[:400].replace(self.scratch or PLACE, ".")
        return Raised(kinds or ("Exception",), said, str(file)[:100], line if type(line) is int and line > 0 else 0)

    def _end(self, how: str | None = None) -> NoReturn:
        """The process ended, or is ended now: say how."""
        if how is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(2.0)
        code = self.process.poll()
        how = how or (f"It ended with exit code {code}." if code is not None
                      else "It wrote to the connection of the grader.")
        self.ended = "timeout" if self.late or code in CPU_TIME_IS_UP else how
        raise EndedError(self.ended)


@cache
def _bundle() -> bytes:
    """The modules that run beside the answer, compiled when the grader starts: no answer can change them later."""
    packages = sorted({foreign.LIBRARY, *(str(module.__package__) for module in INSIDE)})
    made = [(name, compile("", name, "exec")) for name in packages]
    for module in INSIDE:
        text = Path(str(module.__file__)).read_text("utf-8")
        made.append((module.__name__, compile(text, f"<{module.__name__}>", "exec")))
    return marshal.dumps(made)


def _apply(changed: Any, arguments: Sequence[Any]) -> None:
    """Make the changes that the call made to its arguments, so that they are seen here."""
    given = list(arrays_in(tuple(arguments)))
    if isinstance(changed, (list, tuple)) and len(changed) == len(given):
        for array, new in zip(given, changed, strict=True):
            if isinstance(new, np.ndarray) and new.shape == array.shape and np.can_cast(new.dtype, array.dtype):
                array[...] = new
