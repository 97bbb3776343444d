# diagnosis: shapes-do-not-fit
# bug: tries to reshape the gradient without a sum
def unbroadcast(gy, shape):
    return gy.reshape(shape)
