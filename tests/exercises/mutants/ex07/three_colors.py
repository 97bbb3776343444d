# diagnosis: only-where
# bug: writes 3 for the channels
def forward(images, patch_size):
    b, h, w, _ = images.shape
    p = patch_size
    y = images.reshape(b, h // p, p, w // p, p, 3).swapaxes(2, 3)
    return y.reshape(b, -1, p * p * 3), (images.shape, p)
