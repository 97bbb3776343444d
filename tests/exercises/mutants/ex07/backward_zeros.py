# diagnosis: zeros
# bug: fills a copy, so that the result stays zero
import numpy as np


def backward(gy, shape, patch_size):
    b, h, w, channels = shape
    p, gimages = patch_size, np.zeros(shape)
    tiles = gimages.reshape(b, h // p, p, w // p, p, channels).swapaxes(2, 3).copy()
    tiles[...] = gy.reshape(tiles.shape)
    return gimages
