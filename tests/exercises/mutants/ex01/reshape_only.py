# diagnosis: does-not-reshape
# bug: tries to reshape the gradient without summing
def unbroadcast(gy, shape):
    return gy.reshape(shape)
