# diagnosis: does-not-reshape
# bug: sums over the axes whose length does not occur in shape, at any position


def unbroadcast(gy, shape):
    axes = tuple(axis for axis, length in enumerate(gy.shape) if length not in shape)
    return gy.sum(axis=axes).reshape(shape)
