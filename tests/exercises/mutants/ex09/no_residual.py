# diagnosis: residual-forgotten
# bug: has no residual connections
def forward(x, token_norm, token_mixing, channel_norm, channel_mixing):
    y, saved1 = LayerNorm.forward(x, *token_norm, EPS)
    y, saved2 = TokenMixing.forward(y, *token_mixing)
    y, saved3 = LayerNorm.forward(y, *channel_norm, EPS)
    y, saved4 = ChannelMixing.forward(y, *channel_mixing)
    return y, (saved1, saved2, saved3, saved4)
