"""Layers and models.  Start with ``mixer.py``, the Mixer, and ``module.py``, the base of every layer and model.

The order in which a model assigns its parts fixes the names and the initial numbers of its weights: a change breaks
saved runs and the bytes of new ones.
"""

import warnings
from typing import Any

from minimixer.nn.batchnorm import BatchNorm
from minimixer.nn.build import MODEL_CLASSES, MODELS, AnyConfig, build
from minimixer.nn.convnet import CONVNETS, Conv2d, ConvNet, ConvNetConfig, GroupNorm, ResidualBlock
from minimixer.nn.inspect import count_macs, trace
from minimixer.nn.layers import (
    GELU,
    Dropout,
    Embedding,
    Flatten,
    LayerNorm,
    Linear,
    ReLU,
    Sequential,
    Sigmoid,
    StochasticDepth,
    Tanh,
)
from minimixer.nn.members import Buffer
from minimixer.nn.mixer import MIXERS, MixerBlock, MixerConfig, MlpBlock, MlpMixer, mixer
from minimixer.nn.model import Model, ModelConfig
from minimixer.nn.module import Module
from minimixer.nn.pooling import AvgPool2d, MaxPool2d
from minimixer.nn.pretrained import list_pretrained
from minimixer.nn.random import draw_from, lecun_normal, seed, zeros
from minimixer.nn.vit import VITS, Attention, VisionTransformer, ViTBlock, ViTConfig

OLD_NAMES = {"Gelu": "GELU", "Convolution": "Conv2d", "shipped": "list_pretrained", "CLASSES": "MODEL_CLASSES",
             "VARIANTS": "MIXERS", "VIT_VARIANTS": "VITS", "CONVNET_VARIANTS": "CONVNETS"}


def __getattr__(name: str) -> Any:
    """Old names, kept for one version."""
    if name in OLD_NAMES:
        warnings.warn(f"nn.{name} is now called nn.{OLD_NAMES[name]}; the old name will be removed",
                      DeprecationWarning, stacklevel=2)
        return globals()[OLD_NAMES[name]]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["CONVNETS", "GELU", "MIXERS", "MODELS", "MODEL_CLASSES", "VITS", "AnyConfig", "Attention", "AvgPool2d",
           "BatchNorm", "Buffer", "Conv2d", "ConvNet", "ConvNetConfig", "Dropout", "Embedding", "Flatten", "GroupNorm",
           "LayerNorm", "Linear", "MaxPool2d", "MixerBlock", "MixerConfig", "MlpBlock", "MlpMixer", "Model",
           "ModelConfig", "Module", "ReLU", "ResidualBlock", "Sequential", "Sigmoid", "StochasticDepth", "Tanh",
           "ViTBlock", "ViTConfig", "VisionTransformer", "build", "count_macs", "draw_from", "lecun_normal",
           "list_pretrained", "mixer", "seed", "trace", "zeros"]
