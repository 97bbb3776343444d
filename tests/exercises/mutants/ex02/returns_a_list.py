# diagnosis: no-dict
# bug: returns the gradients without their leaves
def backward(root, gy):
    return [gy]
