"""All models by name."""

from dataclasses import replace
from typing import Any

from minimixer.nn.convnet import CONVNETS, ConvNet, ConvNetConfig
from minimixer.nn.mixer import MIXERS, MixerConfig, MlpMixer
from minimixer.nn.model import Model
from minimixer.nn.vit import VITS, VisionTransformer, ViTConfig

AnyConfig = MixerConfig | ViTConfig | ConvNetConfig

MODELS: dict[str, AnyConfig] = {
    **MIXERS,
    **{f"vit-{size}": config for size, config in VITS.items()},
    **{f"convnet-{size}": config for size, config in CONVNETS.items()},
}
MODEL_CLASSES: dict[type, Any] = {MixerConfig: MlpMixer, ViTConfig: VisionTransformer, ConvNetConfig: ConvNet}


def build(name: str, seed: int | None = 0, **changes: Any) -> Model:
    """Build any model: a Mixer (``"micro"``, ``"B/16"``), a ViT (``"vit-micro"``) or a ConvNet (``"convnet-micro"``).

    Parameters
    ----------
    name : str
        A key of ``nn.MODELS``.
    seed : int or None
        Of the initial weights; None leaves every weight matrix zero.
    **changes
        Fields of the model's config to replace, such as ``num_classes=100``.

    Raises
    ------
    ValueError
        If the name is unknown, the model has no such field, or the changed sizes do not fit.
    """
    if name not in MODELS:
        raise ValueError(f"no model is called {name!r}: expected one of {', '.join(MODELS)}")
    config = MODELS[name]
    if unknown := sorted(changes.keys() - vars(config).keys()):
        raise ValueError(f"{name} has no {unknown[0]}: its fields are {', '.join(vars(config))}")
    return MODEL_CLASSES[type(config)](replace(config, **changes), seed)
