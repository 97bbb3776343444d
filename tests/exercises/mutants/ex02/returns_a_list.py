# diagnosis: raises
# bug: returns the gradients without saying whose they are
def backward(root, gy):
    return [gy]
