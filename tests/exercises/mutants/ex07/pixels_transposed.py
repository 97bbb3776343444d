# diagnosis: pixels-transposed
# bug: stores each patch column by column
import numpy as np


def forward(images, patch_size):
    b, h, w, channels = images.shape
    p, found = patch_size, []
    for i in range(0, h, p):
        for j in range(0, w, p):
            found.append(images[:, i:i + p, j:j + p].swapaxes(1, 2).reshape(b, -1))
    return np.stack(found, axis=1), (images.shape, patch_size)
