# diagnosis: one-hot-forgotten
# bug: forgets the true classes
def backward(gy, p, labels):
    return gy * p / len(p)
