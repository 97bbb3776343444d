# diagnosis: sqrt-2-forgotten
# bug: passes x itself to erf
def forward(x):
    phi = (1 + erf(x)) / 2
    return x * phi, (x, phi)
