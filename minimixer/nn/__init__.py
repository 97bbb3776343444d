from minimixer.nn.build import CLASSES, MODELS, AnyConfig, build
from minimixer.nn.convnet import CONVNET_VARIANTS, ConvNet, ConvNetConfig, Convolution, GroupNorm, ResidualBlock
from minimixer.nn.inspect import count_macs, trace
from minimixer.nn.layers import Dropout, Gelu, LayerNorm, Linear, StochasticDepth
from minimixer.nn.mixer import VARIANTS, MixerBlock, MixerConfig, MlpBlock, MlpMixer, mixer
from minimixer.nn.model import Model, ModelConfig
from minimixer.nn.module import Module
from minimixer.nn.pretrained import shipped
from minimixer.nn.random import draw_from, lecun_normal, zeros
from minimixer.nn.vit import VIT_VARIANTS, Attention, VisionTransformer, ViTBlock, ViTConfig

__all__ = ["CLASSES", "CONVNET_VARIANTS", "MODELS", "VARIANTS", "VIT_VARIANTS", "AnyConfig", "Attention", "ConvNet",
           "ConvNetConfig", "Convolution", "Dropout", "Gelu", "GroupNorm", "LayerNorm", "Linear", "MixerBlock",
           "MixerConfig", "MlpBlock", "MlpMixer", "Model", "ModelConfig", "Module", "ResidualBlock", "StochasticDepth",
           "ViTBlock", "ViTConfig", "VisionTransformer", "build", "count_macs", "draw_from", "lecun_normal", "mixer",
           "shipped", "trace", "zeros"]
