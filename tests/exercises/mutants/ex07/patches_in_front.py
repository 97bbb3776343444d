# diagnosis: patches-first
# bug: stacks the patches on the first axis
import numpy as np


def forward(images, patch_size):
    p = patch_size
    found = [images[:, i:i + p, j:j + p].reshape(len(images), -1)
             for i in range(0, images.shape[1], p) for j in range(0, images.shape[2], p)]
    return np.stack(found), (images.shape, p)
