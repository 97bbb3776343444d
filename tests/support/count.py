"""How many kernels a training step starts on a GPU, and how many bytes they move, counted on the stand-in.

``python -m tests.support.count micro 64``: a size, and pictures in a batch.  An operation on arrays is a kernel unless
it makes a view; it reads its operands and writes its result once.  Copies from the host are not counted.
"""

import sys
import tempfile
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

import minimixer as mm
from minimixer import backend, nn, optim
from minimixer.bench.steps import random_batch
from minimixer.data import Batches, Dataset
from minimixer.parallel import ShardedModel, Workers
from minimixer.train.config import PRESETS
from tests.support import standin
from tests.support.emulator import use_emulator


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


def of(work):
    """The kernels of ``work()``, and what it returned."""
    tape = []

    def run(name, compute, *operands):
        result = standin.wrap(compute())
        tape.append(standin.Call(name, compute, result, operands))
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(standin, "run", run)
        result = work()
    return kernels(tape), result


def step_of(config, batch):
    """The kernels of a step: those of the gradients, and those of clipping and AdamW."""
    given = [backend.to_device(a, "standin") for a in random_batch(config, batch)]
    half = backend.to_device(np.full(config.in_channels, 0.5, np.float32), "standin")
    model = ShardedModel(nn.MlpMixer(config).to("standin"), Workers(1), half, half, 0.1)
    optimizer = optim.AdamW(model.params)
    calls, (_, _, gradients) = of(lambda: model.gradients(*given, 0))
    return calls, of(lambda: optimizer.step(gradients, optim.clip_factor(gradients, 1.0)[0]))[0]


def batch_of(name, batch_size=128):
    """The kernels that make a batch of images of 32 x 32 as a preset augments them."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (2 * batch_size, 32, 32, 3), np.uint8), np.zeros(2 * batch_size, np.int64)
    dataset = Dataset("noise", images, labels, images[:1], labels[:1], class_names=tuple("abcdefghij"))
    batches = Batches(dataset, batch_size, augmentation=PRESETS[name].augmentation(), device="standin")
    return of(lambda: batches[0])[0]


def main(size="micro", batch="8"):
    """Print what was counted, as the ops are written and fused."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        use_emulator(patch, Path(folder))
        for name, block in (("as the ops are written", mm.reference_kernels()), ("fused", nullcontext())):
            with block:
                calls, update = step_of(nn.MIXERS[size], int(batch))
                augmented = batch_of("cifar10-micro")
            total = sum(map(moved, calls)) / int(batch) / 1e6
            print(f"{name}: {len(calls)} kernels for the gradients of {size}, {total:.1f} MB a picture; {len(update)} "
                  f"for clipping and AdamW; {len(augmented)} for a batch of cifar10-micro")
            by_name = Counter()
            for call in calls:
                by_name[call.name] += moved(call) / int(batch) / 1e6
            print("  " + ", ".join(f"{name} {n:.1f}" for name, n in by_name.most_common(12)))


if __name__ == "__main__":
    main(*sys.argv[1:])
