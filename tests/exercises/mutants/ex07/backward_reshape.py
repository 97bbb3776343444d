# diagnosis: axes-not-swapped
# bug: only reshapes the gradient to the shape of the images
def backward(gy, shape, patch_size):
    return gy.reshape(shape)
