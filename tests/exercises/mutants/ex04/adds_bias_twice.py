# diagnosis: bias-twice
# bug: adds the bias in two lines
def forward(x, weight, bias):
    y = x @ weight + bias
    return y + bias, (x, weight)
