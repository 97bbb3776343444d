# diagnosis: every-nth-pixel
# bug: splits the axes the wrong way around
def forward(images, patch_size):
    b, h, w, c = images.shape
    p = patch_size
    y = images.reshape(b, p, h // p, p, w // p, c).transpose(0, 2, 4, 1, 3, 5)
    return y.reshape(b, -1, p * p * c), (images.shape, p)
