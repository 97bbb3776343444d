"""Pickles that want to run code, fill the memory or never end: name -> bytes."""

import functools
import os
import pickle
import struct
import subprocess

CANARY = "canary-was-here"         # what every one of them that runs code would make


def touch(folder=None):
    open(CANARY, "w").close()


class Reduced:
    """Pickled as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class Stated:
    """Pickled with a state that NumPy or Python would set."""

    def __init__(self, function, arguments, state):
        self.call = function, arguments, state

    def __reduce__(self):
        return self.call


COMMAND = f"echo > {CANARY}"
CALLS = {
    "os.system": (os.system, COMMAND), "os.popen": (os.popen, COMMAND), "os.mkdir": (os.mkdir, CANARY),
    "subprocess.call": (subprocess.call, ["touch", CANARY]), "subprocess.Popen": (subprocess.Popen, ["touch", CANARY]),
    "exec": (exec, f"open({CANARY!r}, 'w')"), "eval": (eval, f"open({CANARY!r}, 'w')"), "open": (open, CANARY, "w"),
    "compile": (compile, "1", "x", "eval"), "__import__": (__import__, "antigravity"), "getattr": (getattr, "", "join"),
    "partial": (functools.partial, os.system, COMMAND), "own function": (touch,), "bytes of a number": (bytes, 1 << 40),
    "bytearray of a number": (bytearray, 1 << 40), "list of range": (list, range(3)), "type": (type, "X", (), {}),
    "map": (map, os.system, [COMMAND]), "str": (str, b"x"), "int": (int, "7"), "pow": (pow, 7, 10**9),
}


def calls():
    """Every call, in every protocol that writes it."""
    for name, call in CALLS.items():
        for protocol in (0, 2, 4):
            yield f"{name}, protocol {protocol}", pickle.dumps(Reduced(*call), protocol)
        yield f"{name} inside a dict", pickle.dumps({"data": [Reduced(*call)], "labels": [0]}, 2)


def short(text):
    return b"\x8c" + bytes([len(text)]) + text


def instructions():
    """Single instructions of the machine, used in ways that no pickler writes."""
    shell = b"S'" + COMMAND.encode() + b"'\n"
    yield "INST", b"(" + shell + b"ios\nsystem\n."
    yield "INST of a class", b"(idecimal\nDecimal\n."
    yield "OBJ", b"(cos\nsystem\n" + shell + b"o."
    yield "NEWOBJ", b"\x80\x02cos\nsystem\n(" + shell + b"t\x81."
    yield "NEWOBJ_EX", b"\x80\x04" + short(b"os") + short(b"system") + b"\x93)}\x92."
    yield "EXT1", b"\x80\x02\x82\x01."
    yield "EXT2", b"\x80\x02\x83\x01\x00."
    yield "EXT4", b"\x80\x02\x84\x01\x00\x00\x00."
    yield "PERSID", b"P1\n."
    yield "BINPERSID", b"K\x01Q."
    yield "NEXT_BUFFER", b"\x80\x05\x97."
    yield "READONLY_BUFFER", b"\x80\x05K\x01\x98."
    yield "EMPTY_SET", b"\x80\x04\x8f."
    yield "FROZENSET", b"\x80\x04(\x91."
    yield "ADDITEMS", b"\x80\x04](K\x01\x90."
    yield "STACK_GLOBAL", b"\x80\x04" + short(b"os") + short(b"system") + b"\x93" + shell + b"\x85R."
    yield "STACK_GLOBAL of numbers", b"\x80\x04K\x01K\x02\x93."
    yield "a dotted name", b"\x80\x04" + short(b"numpy") + short(b"ndarray.tofile") + b"\x93" + short(b"x") + b"\x85R."
    yield "a name of the table alone", b"cnumpy\nndarray\n."
    yield "a name of the table in a list", b"(cnumpy\nndarray\nl."
    yield "a call of what is no function", b"cnumpy\nndarray\n(K\x01tR."
    yield "a call of a number", b"K\x01(K\x01tR."
    yield "a call with a list", b"cnumpy\ndtype\n]R."
    yield "dtype of objects", pickle.dumps(Reduced(__import__("numpy").dtype, "O8"), 2)
    yield "dtype of records", pickle.dumps(Reduced(__import__("numpy").dtype, [("x", "O")]), 2)
    yield "BUILD of a dict", b"}}b."
    yield "BUILD of a name", b"cnumpy\nndarray\n}b."
    yield "BUILD that sets attributes", b"cos\nenviron\n(S'x'\nS'y'\nd\x86b."
    yield "an array without contents", b"cnumpy.core.multiarray\n_reconstruct\n(tR."
    yield "unhashable key", b"(](tK\x01d."
    yield "a number as a key", b"}K\x01K\x02s."
    yield "a list as a dict", b"]K\x01K\x02s."
    yield "a dict as a list", b"}K\x01a."
    yield "an array in a tuple", pickle.dumps((__import__("numpy").zeros(2),), 2)


def bombs():
    """Small pickles that ask for much memory or time."""
    huge = struct.pack("<Q", 1 << 60)
    for name, code in (("BINBYTES8", b"\x8e"), ("BINUNICODE8", b"\x8d"), ("BYTEARRAY8", b"\x96")):
        yield f"{name} of an exabyte", b"\x80\x05" + code + huge + b"x."
    for name, code in (("BINBYTES", b"B"), ("BINUNICODE", b"X")):
        yield f"{name} of 4 GB", b"\x80\x03" + code + b"\xff\xff\xff\xffx."
    yield "BINSTRING of -1", b"T\xff\xff\xff\xffx."
    yield "LONG4 of 2 GB", b"\x80\x02\x8b\xff\xff\xff\x7fx."
    yield "LONG4 of -1", b"\x80\x02\x8b\xff\xff\xff\xffx."
    yield "LONG1 of 255 bytes", b"\x80\x02\x8a\xff" + bytes(255) + b"."
    yield "a number of a million digits", b"L" + b"9" * 1_000_000 + b"L\n."
    yield "a memo far away", b"K\x01r\xff\xff\xff\xff."
    yield "a memo with a huge number", b"K\x01p" + b"9" * 900 + b"\n."
    yield "a memo that is empty", b"j\xff\xff\xff\xff."
    yield "a frame of an exabyte", b"\x80\x04\x95" + huge + b"N."
    yield "a million lists in each other", b"]" * 500_000 + b"a" * 499_999 + b"."
    yield "a million tuples in each other", b")" + b"\x85" * 900_000 + b"."
    yield "a list in itself", b"]q\x00h\x00a."
    yield "a list of itself, doubled 50 times", b"]" + b"".join(
        b"q" + bytes([i]) + b"0](h" + bytes([i]) + b"h" + bytes([i]) + b"e" for i in range(50)) + b"."
    yield "a dict in itself", b"}q\x00U\x01ah\x00s."
    yield "more instructions than any data", b"N0" * 3_000_000 + b"N."
    yield "marks without end", b"(" * 900_000 + b"."
    yield "a million dicts", b"(" + b"}" * 900_000 + b"l."
    yield "a million memos", b"N\x94" * 499_000 + b"."
    text = b"X" + struct.pack("<I", 100_000) + b"x" * 100_000
    yield "bytes made again and again", (b"\x80\x02" + text + b"q\x00U\x06latin1q\x01c_codecs\nencode\nq\x020(" +
                                         b"h\x02h\x00h\x01\x86R" * 90_000 + b"l.")
    yield "a text looked up again and again", (b"\x80\x04" + text + b"q\x00(" + b"h\x00h\x00\x93" * 100_000 + b"l.")
    shape = b"(" + b"K\x01" * 100_000 + b"tq\x00"
    yield "an array of a hundred thousand axes", (
        b"\x80\x02" + shape + b"cnumpy.core.numeric\n_frombuffer\n(U\x01xcnumpy\ndtype\n(U\x02u1tRh\x00tR.")
    array = b"\x80\x02cnumpy.core.numeric\n_frombuffer\n(U\x01xcnumpy\ndtype\n(U\x02u1tR("
    yield "an array larger than its bytes", array + b"\x8a\x07" + b"\xff" * 6 + b"\x00ttR."
    yield "an array of negative size", (array + b"J\xff\xff\xff\xffJ\xff\xff\xff\xffttR.")


def damaged():
    """What a broken copy looks like."""
    whole = pickle.dumps({"data": list(range(100)), "labels": ["a"] * 9}, 2)
    yield "nothing", b""
    yield "no pickle", b"<html>Not found</html>"
    yield "no end", whole[:-1]
    yield "half", whole[:len(whole) // 2]
    yield "an end at once", b"."
    yield "only a mark", b"(."
    yield "no mark", b"K\x01t."
    yield "text that is none", b"X\x02\x00\x00\x00\xff\xff."
    yield "an instruction that does not exist", b"\xff."
    yield "a name that does not end", b"cnumpy"
    yield "a string without quotes", b"Sabc\n."
    yield "a float that is none", b"Fx\n."


HOSTILE = dict(pair for group in (calls, instructions, bombs, damaged) for pair in group())
