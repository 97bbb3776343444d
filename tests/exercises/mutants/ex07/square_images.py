# diagnosis: square-only
# bug: squares the number of patches of one side
def forward(images, patch_size):
    b, h, w, c = images.shape
    p = patch_size
    y = images.reshape(b, h // p, p, w // p, p, c).swapaxes(2, 3)
    return y.reshape(b, (h // p) ** 2, p * p * c), (images.shape, p)
