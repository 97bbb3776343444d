"""How many kernels a training step starts on a GPU, and how many bytes they move, counted on the stand-in.

``python -m tests.kernels.count micro 64``: a size, and pictures in a batch.  An operation on arrays is a kernel unless
it makes a view; it reads its operands and writes its result once.  Clipping and the update are left out: three kernels
if fused.
"""

import sys
import tempfile
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

import minimixer as mm
from minimixer import backend, nn
from minimixer.train.parallel import ShardedModel, Workers
from tests import standin
from tests.kernels.conftest import use_emulator


def kernels(tape):
    """The calls of a tape that are kernels."""
    def is_view(call):
        return isinstance(call.result, standin.DeviceArray) and any(
            np.may_share_memory(call.result._host, array) for array in arrays(call.operands))

    return [call for call in tape if call.name not in ("empty", "empty_like") and not is_view(call)]


def arrays(operands):
    """The arrays among operands, in whatever they lie."""
    for thing in operands:
        if isinstance(thing, np.ndarray) and thing.ndim:
            yield thing
        elif isinstance(thing, (list, tuple)):
            yield from arrays(thing)


def moved(call):
    """Bytes that a kernel reads and writes; an array that is repeated is read once."""
    result = [call.result._host] if isinstance(call.result, standin.DeviceArray) else []
    return sum(a.itemsize * int(np.prod([n for n, stride in zip(a.shape, a.strides, strict=True) if stride]))
               for a in [*arrays(call.operands), *result])


def gradients_of(config, batch):
    """The kernels of a step's gradients."""
    rng = np.random.default_rng(0)
    shape = batch, config.image_size, config.image_size, config.in_channels
    given = [backend.to_device(a, "standin") for a in (rng.integers(0, 256, shape, np.uint8),
                                                       rng.integers(0, config.num_classes, batch))]
    half = backend.to_device(np.full(config.in_channels, 0.5, np.float32), "standin")
    model = ShardedModel(nn.MlpMixer(config).to("standin"), Workers(1), half, half, 0.1)
    return kernels(standin.Graph(lambda *arrays: model.gradients(*arrays, 0), given).tape)


def main(size="micro", batch="8"):
    """Print a table."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        use_emulator(patch, Path(folder))
        for name, block in (("as the ops are written", mm.reference_kernels()), ("fused", nullcontext())):
            with block:
                calls = gradients_of(nn.VARIANTS[size], int(batch))
            total = sum(map(moved, calls)) / int(batch) / 1e6
            print(f"{size}, gradients, {name}: {len(calls)} kernels, {total:.1f} MB a picture")
            by_name = Counter()
            for call in calls:
                by_name[call.name] += moved(call) / int(batch) / 1e6
            print("  " + ", ".join(f"{name} {n:.1f}" for name, n in by_name.most_common(12)))


if __name__ == "__main__":
    main(*sys.argv[1:])
