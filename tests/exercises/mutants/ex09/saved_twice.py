# diagnosis: is-other
# bug: reuses the names of the first half's saved tuples in the second half, and returns those twice
def forward(x, token_norm, token_mixing, channel_norm, channel_mixing):
    y, saved1 = LayerNorm.forward(x, *token_norm, EPS)
    y, saved2 = TokenMixing.forward(y, *token_mixing)
    u = x + y
    y, saved1 = LayerNorm.forward(u, *channel_norm, EPS)
    y, saved2 = ChannelMixing.forward(y, *channel_mixing)
    return u + y, (saved1, saved2, saved1, saved2)
