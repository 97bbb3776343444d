from minimixer.nn.inspect import trace
from minimixer.nn.layers import Dropout, Gelu, LayerNorm, Linear, StochasticDepth
from minimixer.nn.mixer import VARIANTS, MixerBlock, MixerConfig, MlpBlock, MlpMixer, mixer
from minimixer.nn.module import Module
from minimixer.nn.random import draw_from, lecun_normal, zeros

__all__ = ["VARIANTS", "Dropout", "Gelu", "LayerNorm", "Linear", "MixerBlock", "MixerConfig", "MlpBlock", "MlpMixer",
           "Module", "StochasticDepth", "draw_from", "lecun_normal", "mixer", "trace", "zeros"]
