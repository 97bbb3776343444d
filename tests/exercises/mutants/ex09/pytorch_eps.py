# diagnosis: own-eps
# bug: uses PyTorch's eps
def half(part, x, norm, mixing, eps=EPS):
    normalized, saved_norm = LayerNorm.forward(x, *norm, eps)
    mixed, saved_mixing = part.forward(normalized, *mixing)
    return mixed, (saved_norm, saved_mixing)



def forward(x, token_norm, token_mixing, channel_norm, channel_mixing):
    mixed, one = half(TokenMixing, x, token_norm, token_mixing, 1e-5)
    u = x + mixed
    mixed, two = half(ChannelMixing, u, channel_norm, channel_mixing, 1e-5)
    return u + mixed, (*one, *two)
