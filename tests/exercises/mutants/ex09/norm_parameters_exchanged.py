# diagnosis: norms-swapped
# bug: gives each half the norm of the other
def half(part, x, norm, mixing, eps=EPS):
    normalized, saved_norm = LayerNorm.forward(x, *norm, eps)
    mixed, saved_mixing = part.forward(normalized, *mixing)
    return mixed, (saved_norm, saved_mixing)



def forward(x, token_norm, token_mixing, channel_norm, channel_mixing):
    mixed, one = half(TokenMixing, x, channel_norm, token_mixing)
    u = x + mixed
    mixed, two = half(ChannelMixing, u, token_norm, channel_mixing)
    return u + mixed, (*one, *two)
