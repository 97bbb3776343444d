# diagnosis: column-order
# bug: puts the patches back column by column
import numpy as np


def backward(gy, shape, patch_size):
    p, images = patch_size, np.zeros(shape)
    corners = [(i, j) for j in range(0, shape[2], p) for i in range(0, shape[1], p)]
    for s, (i, j) in enumerate(corners):
        images[:, i:i + p, j:j + p] = gy[:, s].reshape(shape[0], p, p, shape[3])
    return images
