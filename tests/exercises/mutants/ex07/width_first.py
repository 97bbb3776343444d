# diagnosis: height-and-width-swapped
# bug: unpacks the width before the height
def forward(images, patch_size):
    b, w, h, c = images.shape
    p = patch_size
    y = images.reshape(b, h // p, p, w // p, p, c).swapaxes(2, 3)
    return y.reshape(b, (h // p) * (w // p), p * p * c), (images.shape, p)
