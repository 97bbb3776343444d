"""Small Mixers, and the arrays of official files, written out independently of the table in weights/names.py."""

import numpy as np

from minimixer import nn

SMALL = nn.MixerConfig(image_size=12, patch_size=4, hidden_dim=6, num_blocks=3, tokens_mlp_dim=5, channels_mlp_dim=7,
                       num_classes=4)


def randomized(config, rng, dtype=np.float32):
    """A Mixer in which every weight is random."""
    model = nn.MlpMixer(config)
    for p in model.parameters():
        p.data = (p.data + 0.3 * rng.standard_normal(p.shape)).astype(dtype)
    return model


def official_arrays(c, rng):
    """Random arrays under the official names."""
    s, inputs = c.num_patches, c.in_channels
    shapes = {"stem/kernel": (c.patch_size, c.patch_size, inputs, c.hidden_dim), "stem/bias": (c.hidden_dim,)}
    for i in range(c.num_blocks):
        for norm in ("LayerNorm_0", "LayerNorm_1"):
            shapes |= {f"MixerBlock_{i}/{norm}/{name}": (c.hidden_dim,) for name in ("scale", "bias")}
        for mixing, outer, inner in (("token_mixing", s, c.tokens_mlp_dim),
                                     ("channel_mixing", c.hidden_dim, c.channels_mlp_dim)):
            prefix = f"MixerBlock_{i}/{mixing}"
            shapes |= {f"{prefix}/Dense_0/kernel": (outer, inner), f"{prefix}/Dense_0/bias": (inner,),
                       f"{prefix}/Dense_1/kernel": (inner, outer), f"{prefix}/Dense_1/bias": (outer,)}
    shapes |= {"pre_head_layer_norm/scale": (c.hidden_dim,), "pre_head_layer_norm/bias": (c.hidden_dim,),
               "head/kernel": (c.hidden_dim, c.num_classes), "head/bias": (c.num_classes,)}
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def write_npz(path, arrays):
    np.savez(path, **arrays)
    return path
