"""Damage valid files at random and read them: only the documented exceptions may be raised.

    python -m tests.support.fuzz --cases 100000 --seed 0
    python -m tests.support.fuzz --replay checkpoint fuzz-failures/checkpoint-0-17

The seed and the number of a case determine it.  A checkpoint, and an archive whose outer bytes are damaged, must be
refused or give exactly what was saved: both have a checksum.
"""

import argparse
import gzip
import io
import pickle
import random
import resource
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minimixer import nn, weights
from minimixer.data import DataError, load
from minimixer.data.sources import safe_pickle
from minimixer.data.sources.cifar import CIFAR10, load_cifar10
from minimixer.data.sources.idx import read_idx
from minimixer.data.sources.pickle_values import PickleRefusedError
from minimixer.train import checkpoint
from minimixer.train.checkpoint import CheckpointError
from minimixer.weights import WeightsError
from tests.support.cifar_files import official, pack, packed, records, unpack

MOST_SECONDS = 5            # CPU time of one case
MOST_MEMORY = 128 << 20     # bytes of address space beyond the first case


class Offence(Exception):
    """A reader did something that it must not do."""


@dataclass
class Reader:
    """A file format: valid contents, how to read it, and which exception it may raise."""

    valid: list[bytes]
    read: Callable[[Path], object]      # gives something that == compares
    documented: type[Exception]
    tar: bool = False                   # damage the .tar inside the gzip, too
    checksum: bool = False              # what is read must equal what was written


def read_checkpoint(path):
    arrays, metadata = checkpoint.read(path)
    return {n: (a.dtype.str, a.shape, a.tobytes()) for n, a in arrays.items()}, repr(metadata)


def read_cifar(path):
    data = load_cifar10(path)
    for images, labels in ((data.train_images, data.train_labels), (data.test_images, data.test_labels)):
        if images.dtype != np.uint8 or images.shape != (len(labels), 32, 32, 3) or not set(labels) <= set(range(10)):
            raise Offence("the data set is not what is documented")
    return data.train_images.tobytes(), data.test_images.tobytes(), data.train_labels.tolist(), data.class_names


def read_pickle(path):
    return repr(safe_pickle.load(path.read_bytes()))


def read_by_path(path, name):
    """A data set of ten images in a file that must have this name."""
    folder = path.parent / "one"
    folder.mkdir(exist_ok=True)
    path.replace(folder / name)
    data = load(folder / name, quiet=True)
    data.check()
    return data.digest()


def saved(*arrays, **named):
    out = io.BytesIO()
    np.savez_compressed(out, *arrays, **named)
    return out.getvalue()


def read_weights(path):
    model, _ = weights.model_from(path)
    return {name: (array.dtype.str, array.shape, array.tobytes()) for name, array in model.state_dict().items()}


def small_weights(folder, save):
    """A file of weights of a Mixer of one block."""
    model = nn.mixer("pico", image_size=8, num_blocks=1, hidden_dim=4, tokens_mlp_dim=3, channels_mlp_dim=5,
                     num_classes=2)
    save(model, folder / "weights")
    return (folder / "weights").read_bytes()


def readers(folder):
    """The formats by name; ``folder`` holds the files that a reader needs next to the damaged one."""
    from tests.train.test_checkpoint import small_checkpoint

    plain = {name: records(CIFAR10, [i]) for i, name in enumerate(CIFAR10.files)}      # compresses well, so it is quick
    names = official(CIFAR10, count=1)[CIFAR10.names_file]
    unpack(folder / "files", plain | {CIFAR10.names_file: names})

    def read_file(path):
        path.replace(folder / "files" / CIFAR10.files[2])
        return read_cifar(folder / "files")

    def read_names(path):
        plain_file = folder / "files" / CIFAR10.files[2]
        plain_file.write_bytes(plain[CIFAR10.files[2]])
        path.replace(folder / "files" / CIFAR10.names_file)
        try:
            return read_cifar(folder / "files")
        finally:
            (folder / "files" / CIFAR10.names_file).write_bytes(names)

    idx = struct.pack(">HBB3I", 0, 8, 3, 5, 4, 4) + bytes(80)
    archive = pack(folder / "valid.tar.gz", {f"{CIFAR10.folder}/{name}": content for name, content in
                                             ({CIFAR10.names_file: names} | plain).items()}).read_bytes()
    colored = pack(folder / "colored.tar.gz", packed(CIFAR10, count=1)).read_bytes()
    (folder / "valid.tar.gz").unlink()
    (folder / "colored.tar.gz").unlink()
    return {
        "checkpoint": Reader([small_checkpoint()], read_checkpoint, CheckpointError, checksum=True),
        "cifar file": Reader([plain[CIFAR10.files[0]], records(CIFAR10, [3, 9])], read_file, DataError),
        "cifar names": Reader([names], read_names, DataError),
        "cifar archive": Reader([archive, archive, archive, colored], read_cifar, DataError, checksum=True),
        "cifar tar": Reader([archive], read_cifar, DataError, tar=True),
        "pickle": Reader([pickle.dumps({b"data": np.eye(3, dtype="u1"), "x": [1, b"y", (2.5, None)]}, protocol)
                          for protocol in (0, 2, 4, 5)], read_pickle, PickleRefusedError),
        "npz": Reader([saved(x=np.zeros((10, 4, 4), np.uint8), y=np.arange(10) % 2)],
                      lambda path: read_by_path(path, "x.npz"), DataError),
        "idx": Reader([idx, gzip.compress(idx)], lambda path: str(read_idx(path).tobytes()), DataError),
        "official weights": Reader([small_weights(folder, weights.save_official)], read_weights, WeightsError),
        "timm weights": Reader([small_weights(folder, weights.save_timm)], read_weights, WeightsError),
    }


INTERESTING = [0, 1, 2, 7, 8, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 32, (1 << 63) - 1,
               1 << 63, (1 << 64) - 1]


def damage(rng, content, others):
    """One to four changes: truncation, flips, splices, length fields, random bytes."""
    content = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randrange(len(content) + 1) if rng.random() < 0.7 else rng.randrange(min(len(content), 1200) + 1)
        length = rng.choice((1, 2, 4, 8, 16, 64, 512, 4096))
        match rng.randrange(8):
            case 0:
                del content[at:]
            case 1 | 2:
                if at < len(content):
                    content[at] ^= 1 << rng.randrange(8)
            case 3:                                             # a piece of a valid file
                other = rng.choice(others)
                start = rng.randrange(len(other))
                content[at:at + rng.choice((0, length))] = other[start:start + length]
            case 4:                                             # a number as C and as tar write it
                value = rng.choice(INTERESTING)
                field = rng.choice((struct.pack("<Q", value), struct.pack("<I", value & 0xFFFFFFFF), b"%011o" % value,
                                    b"\x80" + struct.pack(">QH", value, 0), str(value).encode()))
                content[at:at + len(field)] = field
            case 5:
                content[at:at + length] = rng.randbytes(length)
            case 6:
                del content[at:at + length]
            case _:
                content[at:at] = rng.choice((rng.randbytes(length), bytes(length), content[at:at + length]))
    return bytes(content)


def damage_tar(rng, content):
    """Damage one header of a .tar and fix its checksum, so that the reader trusts it; or damage any bytes."""
    raw = bytearray(gzip.decompress(content))
    if rng.random() < 0.25:
        return gzip.compress(damage(rng, raw, [bytes(raw)]), 1)
    start = rng.choice([at for at in range(0, len(raw) - 511, 512) if raw[at + 257:at + 262] == b"ustar"])
    block = raw[start:start + 512]
    for _ in range(rng.randrange(1, 5)):
        where, what = rng.choice(((0, 100), (124, 12), (156, 1), (157, 100), (257, 8), (345, 155), (0, 512)))
        if where == 156:
            block[156] = rng.choice(b"0123456700xgLKSVMD\0")
        elif where == 124:
            value = rng.choice(INTERESTING)
            block[124:136] = rng.choice((b"%011o\0" % (value % 8**11), b"\x80" + struct.pack(">IQ", 0, value)[1:],
                                         b"\xff" * rng.randrange(8, 12) + b"\0" * 12))[:12].ljust(12, b"\0")
        else:
            at = where + rng.randrange(what)
            block[at:at + 1] = rng.randbytes(1)
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + 8 * 32 + sum(block[156:]))
    raw[start:start + 512] = block
    return gzip.compress(raw, 1)


@contextmanager
def time_limit():
    """Raise Offence in a case that hangs."""
    def stop(*_):
        raise Offence(f"more than {MOST_SECONDS} seconds")

    previous = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)


@contextmanager
def memory_limit():
    """Raise MemoryError in a case that asks for a lot of memory, even if it never uses it."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + MOST_MEMORY, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def outcome(reader, content, folder, expected):
    """The outcome of reading some content, in words.  Raises Offence, or what the reader should not have raised."""
    path = folder / "damaged.tar.gz"
    path.write_bytes(content)
    try:
        result = reader.read(path)
    except reader.documented as error:
        if any(ord(c) < 32 for c in str(error)) or len(str(error)) > 1000:
            raise Offence(f"not one clear sentence: {error}") from error
        return "refused"
    if result in expected:
        return "read, as it was saved"
    if reader.checksum:
        raise Offence("read as something that was never saved")
    return "read, with other content"


def make_case(reader, seed, name, number):
    """The content of a case."""
    rng = random.Random(f"{seed} {name} {number}")
    valid = rng.choice(reader.valid)
    return damage_tar(rng, valid) if reader.tar else damage(rng, valid, reader.valid)


def run(cases, seed, failures, say=lambda line: None):
    """Run the cases, in turn for each reader; counts by reader and outcome, and the files of the offending cases."""
    counts, slowest, offending = Counter(), Counter(), []
    memory_disk = "/dev/shm" if Path("/dev/shm").is_dir() else None         # fast, and spares the real disk
    with tempfile.TemporaryDirectory(dir=memory_disk) as place, memory_limit():
        folder = Path(place)
        formats = readers(folder)
        expected = {}
        for name, reader in formats.items():
            expected[name] = []
            for content in reader.valid:
                (folder / "valid.tar.gz").write_bytes(content)
                expected[name].append(reader.read(folder / "valid.tar.gz"))
        for number in range(cases):
            name = list(formats)[number % len(formats)]
            content = make_case(formats[name], seed, name, number)
            start = time.process_time()
            try:
                with time_limit():
                    result = outcome(formats[name], content, folder, expected[name])
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                result = "OFFENCE"
                failures.mkdir(exist_ok=True)
                offending.append(failures / f"{name.replace(' ', '-')}-{seed}-{number}")
                offending[-1].write_bytes(content)
                say(f"{offending[-1]}: {''.join(traceback.format_exception_only(error)).strip()}")
            counts[name, result] += 1
            slowest[name] = max(slowest[name], time.process_time() - start)
    return counts, slowest, offending


def table(counts, slowest):
    """The counts as a Markdown table."""
    outcomes = ["refused", "read, as it was saved", "read, with other content", "OFFENCE"]
    lines = [f"| file | cases | {' | '.join(outcomes)} | slowest (ms) |", "| --- " + "| ---: " * 6 + "|"]
    for name in slowest:
        numbers = [counts[name, result] for result in outcomes]
        lines.append(f"| {name} | {sum(numbers):,} | {' | '.join(f'{n:,}' for n in numbers)} | "
                     f"{slowest[name] * 1e3:.0f} |")
    return "\n".join(lines)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--failures", type=Path, default=Path("fuzz-failures"), help="where offending files go")
    parser.add_argument("--replay", nargs=2, metavar=("READER", "FILE"), help="read one file, with the traceback")
    options = parser.parse_args(arguments)
    if options.replay:
        name, file = options.replay
        with tempfile.TemporaryDirectory() as place:
            reader = readers(Path(place))[name.replace("-", " ")]
            copy = Path(place) / "damaged.tar.gz"
            copy.write_bytes(Path(file).read_bytes())
            print(str(reader.read(copy))[:1000])
        return 0
    start = time.perf_counter()
    counts, slowest, offending = run(options.cases, options.seed, options.failures, print)
    print(table(counts, slowest))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{options.cases:,} cases in {time.perf_counter() - start:.0f} s; peak memory of the process {peak} MiB; "
          f"{len(offending)} offences")
    return 1 if offending else 0


if __name__ == "__main__":
    sys.exit(main())
