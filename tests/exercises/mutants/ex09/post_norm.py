# diagnosis: post-norm
# bug: normalizes after each addition
def forward(x, token_norm, token_mixing, channel_norm, channel_mixing):
    mixed, saved2 = TokenMixing.forward(x, *token_mixing)
    u, saved1 = LayerNorm.forward(x + mixed, *token_norm, EPS)
    mixed, saved4 = ChannelMixing.forward(u, *channel_mixing)
    y, saved3 = LayerNorm.forward(u + mixed, *channel_norm, EPS)
    return y, (saved1, saved2, saved3, saved4)
