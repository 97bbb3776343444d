# diagnosis: parallel
# bug: passes x to both halves
def forward(x, token_norm, token_mixing, channel_norm, channel_mixing):
    n, saved1 = LayerNorm.forward(x, *token_norm, EPS)
    m, saved2 = TokenMixing.forward(n, *token_mixing)
    n, saved3 = LayerNorm.forward(x, *channel_norm, EPS)
    c, saved4 = ChannelMixing.forward(n, *channel_mixing)
    return x + m + c, (saved1, saved2, saved3, saved4)
