# diagnosis: mixers-swapped
# bug: mixes the channels before the patches
def forward(x, token_norm, token_mixing, channel_norm, channel_mixing):
    n, saved3 = LayerNorm.forward(x, *channel_norm, EPS)
    m, saved4 = ChannelMixing.forward(n, *channel_mixing)
    u = x + m
    n, saved1 = LayerNorm.forward(u, *token_norm, EPS)
    m, saved2 = TokenMixing.forward(n, *token_mixing)
    return u + m, (saved1, saved2, saved3, saved4)
