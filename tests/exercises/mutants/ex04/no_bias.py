# diagnosis: bias-forgotten
# bug: forgets to add the bias
def forward(x, weight, bias):
    return x @ weight, (x, weight)
