# diagnosis: axes-not-swapped
# bug: only gives the gradient the shape of the pictures
def backward(gy, shape, patch_size):
    return gy.reshape(shape)
