# diagnosis: wrong-count
# bug: returns y alone
def forward(x, weight, bias):
    return x @ weight + bias
