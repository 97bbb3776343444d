# diagnosis: writes-input
# bug: adds each branch to x in place
def half(part, x, norm, mixing, eps=EPS):
    normalized, saved_norm = LayerNorm.forward(x, *norm, eps)
    mixed, saved_mixing = part.forward(normalized, *mixing)
    return mixed, (saved_norm, saved_mixing)



def forward(x, token_norm, token_mixing, channel_norm, channel_mixing):
    mixed, one = half(TokenMixing, x, token_norm, token_mixing)
    x += mixed
    mixed, two = half(ChannelMixing, x, channel_norm, channel_mixing)
    x += mixed
    return x, (*one, *two)
