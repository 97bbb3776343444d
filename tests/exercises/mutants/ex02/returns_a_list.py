# diagnosis: raises
# bug: returns the gradients without their leaves
def backward(root, gy):
    return [gy]
