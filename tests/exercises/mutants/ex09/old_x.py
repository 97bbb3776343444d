# diagnosis: residual-from-x
# bug: adds the second branch to the original x
def forward(x, token_norm, token_mixing, channel_norm, channel_mixing):
    n, saved1 = LayerNorm.forward(x, *token_norm, EPS)
    m, saved2 = TokenMixing.forward(n, *token_mixing)
    n, saved3 = LayerNorm.forward(x + m, *channel_norm, EPS)
    y, saved4 = ChannelMixing.forward(n, *channel_mixing)
    return x + y, (saved1, saved2, saved3, saved4)
