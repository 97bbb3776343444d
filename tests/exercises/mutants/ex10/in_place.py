# diagnosis: writes-input
# bug: subtracts 1 in the saved probabilities themselves
def backward(gy, p, labels):
    p[range(len(p)), labels] -= 1
    return gy * p / len(p)
