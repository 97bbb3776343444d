# diagnosis: writes-input
# bug: subtracts 1 from the saved probabilities in place
def backward(gy, p, labels):
    p[range(len(p)), labels] -= 1
    return gy * p / len(p)
