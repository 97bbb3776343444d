"""What the engine adds to an op: microseconds of 10 elements, forward alone and with backward, in two checkouts.

``python -m tests.support.overhead OLD NEW --rounds 20``: two folders that hold ``minimixer/``.  Each is measured in its
own process; they take turns, and a number is the smallest of all rounds, so other programs disturb little.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import time
from pathlib import Path

CALLS, REPEATS = 60, 3


def ops():
    """Every op that both may have, as a call without arguments."""
    import numpy as np

    from minimixer import functional as F
    from minimixer.tensor import Tensor
    rng = np.random.default_rng(0)

    def leaf(*shape):
        return Tensor(rng.uniform(0.5, 2, shape).astype(np.float32), requires_grad=True)

    x, y, weight, bias, row, other, image = (leaf(*s) for s in ((2, 5), (2, 5), (5, 2), (2,), (5,), (5,), (1, 2, 5, 1)))
    array, labels = x.data.copy(), np.array([0, 3])
    return {
        "x + y": lambda: x + y, "x + number": lambda: x + 1.0, "array + x": lambda: array + x,
        "x + array": lambda: x + array, "x - y": lambda: x - y, "x * y": lambda: x * y, "x / y": lambda: x / y,
        "-x": lambda: -x, "x ** 2": lambda: x**2, "x @ weight": lambda: x @ weight, "exp": x.exp, "log": x.log,
        "sqrt": x.sqrt, "tanh": x.tanh, "reshape": lambda: x.reshape(5, 2), "swapaxes": lambda: x.swapaxes(0, 1),
        "transpose": x.transpose, "x[0]": lambda: x[0], "x[:, 1:3]": lambda: x[:, 1:3], "sum": x.sum,
        "sum(0)": lambda: x.sum(0), "mean": x.mean, "max": x.max, "relu": lambda: F.relu(x), "gelu": lambda: F.gelu(x),
        "gelu, erf": lambda: F.gelu(x, "erf"), "linear": lambda: F.linear(x, weight, bias),
        "layer_norm": lambda: F.layer_norm(x, row, other), "softmax": lambda: F.softmax(x),
        "cross_entropy": lambda: F.cross_entropy(x, labels), "patches": lambda: F.patches(image, 1)}


def measure():
    """Answer every line of stdin with a line of microseconds: {op: [forward, forward and backward]}."""
    def seconds(call):
        start = time.perf_counter()
        for _ in range(CALLS):
            call()
        return (time.perf_counter() - start) / CALLS

    def both(op):
        seed = op().data * 0 + 1

        def there_and_back():
            op().backward(seed)
        return op, there_and_back

    calls = {name: both(op) for name, op in ops().items()}
    for _ in sys.stdin:
        print(json.dumps({name: [1e6 * min(seconds(call) for _ in range(REPEATS)) for call in pair]
                          for name, pair in calls.items()}), flush=True)


def compare(folders, rounds):
    """The smallest of all rounds: {op: (forward, forward and backward)} of each folder."""
    children = [subprocess.Popen([sys.executable, __file__, "--measure", folder], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True) for folder in folders]
    results = [[] for _ in children]
    for i in range(rounds + 1):
        for j in (0, 1) if i % 2 else (1, 0):
            children[j].stdin.write("again\n")
            children[j].stdin.flush()
            results[j].append(json.loads(children[j].stdout.readline()))
    for child in children:
        child.stdin.close()
        child.wait()
    return [{name: [min(r[name][k] for r in found[1:]) for k in (0, 1)] for name in found[0]} for found in results]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs=2, type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    old, new = compare([str(folder.resolve()) for folder in options.folders], options.rounds)
    print("| op | forward, before | after | ratio | with backward, before | after | ratio |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    ratios = []
    for name in new:
        (f, b), (f_new, b_new) = old[name], new[name]
        ratios += [f_new / f, b_new / b]
        print(f"| `{name}` | {f:.2f} | {f_new:.2f} | {f_new / f:.2f} | {b:.2f} | {b_new:.2f} | {b_new / b:.2f} |")
    print(f"\ngeometric mean {math.exp(statistics.mean(map(math.log, ratios))):.3f}, largest {max(ratios):.2f}")


if __name__ == "__main__":
    if sys.argv[1] == "--measure":
        sys.path[0] = sys.argv[2]
        measure()
    else:
        main()
