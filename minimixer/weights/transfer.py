"""Weights into a Mixer and out of it."""

import math
from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path

from minimixer.backend import Array, to_numpy
from minimixer.functional import GeluForm
from minimixer.nn import GELU, MixerConfig, MlpMixer
from minimixer.weights.adapt import empty_head, has_grown, has_new_head, why_not
from minimixer.weights.files import WeightsError, WeightsFile, open_weights, write_weights
from minimixer.weights.growth import grow
from minimixer.weights.names import OFFICIAL, TABLE, TIMM, Layout, is_head, printable, rows_of, sizes_of
from minimixer.weights.report import Mapped, Report

FIELDS = {"P": "patch_size", "I": "in_channels", "C": "hidden_dim", "L": "num_blocks", "D_C": "channels_mlp_dim"}


def load_official(model: MlpMixer, path: str | PathLike[str], *, new_head: bool = False) -> Report:
    """Copy the weights of an official ``.npz`` file into a Mixer, which then computes GELU in its tanh form.

    A model for k times the side, with k^2 times the ``tokens_mlp_dim``, takes the weights by the rule of ``grow``.

    Parameters
    ----------
    model : MlpMixer
        Of the sizes of the file; ``model_from`` makes one.
    path : str or PathLike
    new_head : bool
        Start with a head of zeros, as the paper does for fine-tuning, whatever head the file has.

    Returns
    -------
    Report
        Every mapped, missing and unused name.

    Raises
    ------
    WeightsError
        If the file cannot be read or does not fit; the model is then as it was.
    """
    return _load(model, Path(path), OFFICIAL, new_head)


def load_timm(model: MlpMixer, path: str | PathLike[str], *, new_head: bool = False) -> Report:
    """As ``load_official``, from a ``.safetensors`` file with timm's names; GELU is then in its erf form."""
    return _load(model, Path(path), TIMM, new_head)


def save_official(model: MlpMixer, path: str | PathLike[str]) -> Report:
    """Write a Mixer's weights as an official ``.npz`` file.  Raises OSError."""
    return _save(model, Path(path), OFFICIAL)


def save_timm(model: MlpMixer, path: str | PathLike[str]) -> Report:
    """Write a Mixer's weights as a ``.safetensors`` file with timm's names.  Raises OSError."""
    return _save(model, Path(path), TIMM)


def config_of(path: str | PathLike[str], *, image_size: int | None = None,
              num_classes: int | None = None) -> MixerConfig:
    """The configuration that fits a file of either layout, read off its shapes.

    Parameters
    ----------
    path : str or PathLike
    image_size : int, optional
        Another size, k times that of the file; ``tokens_mlp_dim`` is then k^2 times that of the file.
    num_classes : int, optional
        Another number of classes than the file has.

    Raises
    ------
    WeightsError
        If the file cannot be read, is no Mixer's, or cannot grow to this size.
    """
    with open_weights(Path(path)) as file:
        return _config(file, image_size, num_classes)


def model_from(path: str | PathLike[str], *, image_size: int | None = None,
               num_classes: int | None = None) -> tuple[MlpMixer, Report]:
    """Build the Mixer that a file of either layout holds.

    Parameters and errors are those of ``config_of``; a head for another number of classes starts as zeros.
    """
    with open_weights(Path(path)) as file:
        config = _config(file, image_size, num_classes)
        new_head = _measure(file).get("K") != config.num_classes
        model = MlpMixer(config, seed=None)
        return model, _copy(file, model, new_head)


def _check_mixer(model: object) -> None:
    if not isinstance(model, MlpMixer):
        raise WeightsError(f"these layouts are for Mixers, and this model is a {type(model).__name__}: save it with "
                           "train.checkpoint, or its state_dict()")


def _load(model: MlpMixer, path: Path, layout: Layout, new_head: bool) -> Report:
    _check_mixer(model)
    with open_weights(path) as file:
        if file.layout is not layout:
            raise WeightsError(f"{path} has the {file.layout.name} layout: use weights.load_{file.layout.name}")
        return _copy(file, model, new_head)


def _copy(file: WeightsFile, model: MlpMixer, new_head: bool) -> Report:
    sizes = _measure(file)
    k = _check_fit(file, sizes, model.config, new_head)
    layout, mapped, missing, arrays = file.layout, [], [], {}
    for row, block in rows_of(sizes["L"]):
        theirs, ours = layout.name_of(row, block), row.ours.format(block)
        if new_head and is_head(row):
            missing += [theirs] * (theirs not in file.shapes)
            continue
        array = grow(layout.from_file(file.read(theirs)), row.shape, math.isqrt(sizes["S"]), k)
        arrays[ours] = array
        mapped.append(Mapped(theirs, file.shapes[theirs], ours, array.shape))
    notes = [] if k == 1 else [has_grown(k)]
    if new_head:
        arrays |= empty_head(model)
        notes.append(has_new_head(model))
    try:
        model.load_state_dict(arrays)
    except ValueError as error:             # a subclass with parameters of its own
        raise WeightsError(f"{file.path}: {error}") from error
    if model.config.gelu != layout.gelu:
        _set_gelu(model, layout.gelu)
        notes.append(f"GELU is now in its {layout.gelu} form, which these weights were made for")
    used = {m.theirs for m in mapped}
    return Report(file.path, layout.name, tuple(mapped), tuple(missing),
                  tuple(name for name in file.shapes if name not in used), tuple(notes))


def _set_gelu(model: MlpMixer, form: GeluForm) -> None:
    model.config = replace(model.config, gelu=form)
    for module in model.modules():
        if isinstance(module, GELU):
            module.form = form


def _measure(file: WeightsFile) -> dict[str, int]:
    """The sizes that the shapes in a file tell, by the letters of the table.

    Raises
    ------
    WeightsError
        If the arrays are not a whole Mixer's, or contradict each other.
    """
    layout, shapes = file.layout, file.shapes
    if any(name.startswith("model.") for name in shapes) and "stem.proj.weight" not in shapes:
        raise WeightsError(f"{file.path} looks like a checkpoint of minimixer: it needs no import; to change its "
                           "layout, use minimixer export with its run folder")
    sizes = {"L": max(1, len(layout.blocks_in(shapes)))}
    expected = [(row, layout.name_of(row, block)) for row, block in rows_of(sizes["L"])]
    has_head = any(layout.name_of(row, 0) in shapes for row in TABLE if is_head(row))
    missing = [name for row, name in expected if name not in shapes and (has_head or not is_head(row))]
    if missing:
        raise WeightsError(f"{file.path} is no MLP-Mixer in the {layout.name} layout: it lacks {_some(missing)}, and "
                           f"holds {_some(list(shapes))}")
    for row, name in expected:
        if len(shapes.get(name, ())) == len(row.shape):
            for letter, size in zip(layout.letters(row), shapes[name], strict=True):
                sizes.setdefault(letter, size)
    for row, name in expected:
        letters = layout.letters(row)
        if name in shapes and (0 in shapes[name] or shapes[name] != tuple(map(sizes.get, letters))):
            raise WeightsError(f"{file.path}: {name} has shape {shapes[name]}, expected ({', '.join(letters)}) = "
                               f"({', '.join(str(sizes.get(letter, '?')) for letter in letters)}), going by the arrays "
                               "before it: the file is damaged, or no plain MLP-Mixer")
    return sizes


def _some(names: list[str]) -> str:
    return ", ".join(map(printable, names[:3])) + (f" and {len(names) - 3} more" if len(names) > 3 else "") or "nothing"


def _config(file: WeightsFile, image_size: int | None, num_classes: int | None) -> MixerConfig:
    sizes = _measure(file)
    side = math.isqrt(sizes["S"])
    if side * side != sizes["S"]:
        raise WeightsError(f"{file.path} has weights for S = (H / P)(W / P) = {sizes['S']} patches, which is no square "
                           "number: only models for square pictures can be read")
    if num_classes is None and "K" not in sizes:
        raise WeightsError(f"{file.path} has no head: say how many classes a new one shall have (num_classes)")
    k, rest = divmod(side * sizes["P"] if image_size is None else image_size, side * sizes["P"])
    if rest or k < 1:
        raise WeightsError(why_not(file.path, side, sizes["P"], f"a picture of {image_size} pixels"))
    try:
        return MixerConfig(
            image_size=k * side * sizes["P"], tokens_mlp_dim=k * k * sizes["D_S"], gelu=file.layout.gelu,
            num_classes=sizes["K"] if num_classes is None else num_classes,
            **{field: sizes[letter] for letter, field in FIELDS.items()})
    except ValueError as error:
        raise WeightsError(f"{file.path}: {error}") from error


def _check_fit(file: WeightsFile, sizes: Mapping[str, int], config: MixerConfig, new_head: bool) -> int:
    """K, by which the token-mixing MLPs must grow for the model.  Raises WeightsError if another size differs."""
    wanted = sizes_of(config)
    for letter, field in FIELDS.items():
        if sizes[letter] != wanted[letter]:
            raise WeightsError(f"{file.path} has {field} {sizes[letter]}, the model {wanted[letter]}: build the model "
                               "with weights.model_from, or give a file of its sizes")
    k = max(1, math.isqrt(wanted["S"] // sizes["S"]))
    if wanted["S"] != k * k * sizes["S"] or math.isqrt(sizes["S"]) ** 2 != sizes["S"]:
        side = math.isqrt(sizes["S"])
        raise WeightsError(why_not(file.path, side, sizes["P"], f"the model's picture of {config.image_size} pixels"))
    if wanted["D_S"] != k * k * sizes["D_S"]:
        grown = f", k = {k} times the side of the file's," if k > 1 else ""
        raise WeightsError(f"{file.path} has tokens_mlp_dim {sizes['D_S']}, the model {wanted['D_S']}: for pictures of "
                           f"{config.image_size} pixels{grown} it must be {k * k * sizes['D_S']}")
    if not new_head and sizes.get("K") != wanted["K"]:
        head = f"a head for {sizes['K']} classes" if "K" in sizes else "no head"
        raise WeightsError(f"{file.path} has {head}, the model has {wanted['K']} classes: pass new_head=True to start "
                           "with a head of zeros, as for fine-tuning")
    return k


def _save(model: MlpMixer, path: Path, layout: Layout) -> Report:
    _check_mixer(model)
    sizes = sizes_of(model.config)
    state = {name: to_numpy(tensor.data) for name, tensor in model.named_tensors()}
    arrays: dict[str, Array] = {}
    mapped = []
    for row, block in rows_of(sizes["L"]):
        theirs, ours = layout.name_of(row, block), row.ours.format(block)
        arrays[theirs] = layout.to_file(state[ours], row, sizes)
        mapped.append(Mapped(theirs, arrays[theirs].shape, ours, state[ours].shape))
    write_weights(path, layout, arrays)
    notes = () if model.config.gelu == layout.gelu else (
        f"this model computes GELU in its {model.config.gelu} form, the {layout.name} code in its {layout.gelu} form: "
        "expect slightly different logits there",)
    return Report(path, layout.name, tuple(mapped), notes=notes)
