# diagnosis: axes-mixed
# bug: puts an axis of the patch before the patches
def backward(gy, shape, patch_size):
    b, h, w, c = shape
    p = patch_size
    return gy.reshape(b, p, h // p, w // p, p, c).transpose(0, 2, 1, 3, 4, 5).reshape(shape)
