# diagnosis: channels-first
# bug: stores all red values of a patch, then all green ones
import numpy as np


def forward(images, patch_size):
    b, h, w, channels = images.shape
    p, found = patch_size, []
    for i in range(0, h, p):
        for j in range(0, w, p):
            found.append(np.moveaxis(images[:, i:i + p, j:j + p], -1, 1).reshape(b, -1))
    return np.stack(found, axis=1), (images.shape, patch_size)
