# diagnosis: ellipsis
# bug: returns three dots
def backward(gy, normalized, rstd, weight):
    return ...
