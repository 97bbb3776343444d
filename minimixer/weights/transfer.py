"""Copy weights from files into Mixers and back."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

import numpy as np

from minimixer.backend import Array, to_numpy
from minimixer.functional import GeluForm
from minimixer.nn import GELU, MixerConfig, MlpMixer
from minimixer.text import printable
from minimixer.weights.about import write_about
from minimixer.weights.adapt import empty_head, has_grown, has_new_head, why_not
from minimixer.weights.files import WeightsFile, open_weights, write_weights
from minimixer.weights.growth import grow
from minimixer.weights.kinds import WeightsError
from minimixer.weights.names import OFFICIAL, TABLE, TIMM, Layout, is_head, rows_of, sizes_of
from minimixer.weights.prefix import removed
from minimixer.weights.report import Mapped, Report

FIELDS = {"P": "patch_size", "I": "in_channels", "C": "hidden_dim", "L": "num_blocks", "D_C": "channels_mlp_dim"}


def load_official(model: MlpMixer, path: str | PathLike[str], *, new_head: bool = False,
                  allow_nonfinite: bool = False) -> Report:
    """Copy the weights of an official ``.npz`` file into a Mixer and set its GELU to the tanh form.

    A model for k times the image size, with k^2 times the ``tokens_mlp_dim``, gets weights grown by ``grow``.

    Parameters
    ----------
    model : MlpMixer
        A model of the file's sizes; ``model_from`` builds one.
    path : str or PathLike
    new_head : bool
        Ignore the file's head and start with zeros, as the paper does for fine-tuning.
    allow_nonfinite : bool
        Take weights that are NaN or infinite too; a model with them answers NaN.

    Returns
    -------
    Report
        Every mapped, missing and unused name.

    Raises
    ------
    WeightsError
        If the file cannot be read or does not fit; the model is then unchanged.
    """
    return _load(model, Path(path), OFFICIAL, new_head, allow_nonfinite)


def load_timm(model: MlpMixer, path: str | PathLike[str], *, new_head: bool = False,
              allow_nonfinite: bool = False) -> Report:
    """Like ``load_official``, but from a ``.safetensors`` file with timm's names; sets GELU to the erf form."""
    return _load(model, Path(path), TIMM, new_head, allow_nonfinite)


def save_official(model: MlpMixer, path: str | PathLike[str], *, class_names: Sequence[str] = (),
                  mean: Sequence[float] = (), std: Sequence[float] = ()) -> Report:
    """Write a Mixer's weights as an official ``.npz`` file.

    Class names, and mean and standard deviation of the pixels on the 0..1 scale, are for ``minimixer import``: others
    pass over them.  Raises OSError.
    """
    return _save(model, Path(path), OFFICIAL, write_about(class_names, mean, std))


def save_timm(model: MlpMixer, path: str | PathLike[str], *, class_names: Sequence[str] = (),
              mean: Sequence[float] = (), std: Sequence[float] = ()) -> Report:
    """Like ``save_official``, but a ``.safetensors`` file with timm's names."""
    return _save(model, Path(path), TIMM, write_about(class_names, mean, std))


def config_of(path: str | PathLike[str], *, image_size: int | None = None,
              num_classes: int | None = None) -> MixerConfig:
    """The configuration for a file of either layout, derived from its shapes.

    Parameters
    ----------
    path : str or PathLike
    image_size : int, optional
        k times the file's image size; ``tokens_mlp_dim`` is then k^2 times that of the file.
    num_classes : int, optional
        By default, the file's number of classes.

    Raises
    ------
    WeightsError
        If the file cannot be read, is not a Mixer's, or cannot grow to this size.
    """
    with open_weights(Path(path)) as file:
        return _config(file, image_size, num_classes)


def model_from(path: str | PathLike[str], *, image_size: int | None = None,
               num_classes: int | None = None, allow_nonfinite: bool = False) -> tuple[MlpMixer, Report]:
    """Build the Mixer in a file of either layout.

    Parameters and errors are those of ``config_of``, and ``allow_nonfinite`` is that of ``load_official``; a head for
    another number of classes starts with zeros.
    """
    with open_weights(Path(path)) as file:
        config = _config(file, image_size, num_classes)
        new_head = _measure(file).get("K") != config.num_classes
        model = MlpMixer(config, seed=None)
        return model, _copy(file, model, new_head, allow_nonfinite)


def _check_mixer(model: object) -> None:
    if not isinstance(model, MlpMixer):
        raise WeightsError(f"these layouts are for Mixers, but this model is a {type(model).__name__}: save it with "
                           "train.checkpoint, or save its state_dict()")


def _load(model: MlpMixer, path: Path, layout: Layout, new_head: bool, allow_nonfinite: bool) -> Report:
    _check_mixer(model)
    with open_weights(path) as file:
        if file.layout is not layout:
            raise WeightsError(f"{path} has the {file.layout.name} layout: use weights.load_{file.layout.name}")
        return _copy(file, model, new_head, allow_nonfinite)


def _copy(file: WeightsFile, model: MlpMixer, new_head: bool, allow_nonfinite: bool) -> Report:
    sizes = _measure(file)
    k = _check_fit(file, sizes, model.config, new_head)
    layout, mapped, missing, arrays = file.layout, [], [], {}
    for row, block in rows_of(sizes["L"]):
        theirs, ours = layout.name_of(row, block), row.ours.format(block)
        if new_head and is_head(row):
            missing += [theirs] * (theirs not in file.shapes)
            continue
        found = file.read(theirs)
        if not allow_nonfinite:
            _check_finite(file.path, theirs, found)
        array = grow(layout.from_file(found), row.shape, math.isqrt(sizes["S"]), k)
        arrays[ours] = array
        mapped.append(Mapped(theirs, file.shapes[theirs], ours, array.shape))
    notes = [removed(file.prefix)] if file.prefix else []
    notes += [] if k == 1 else [has_grown(k)]
    if new_head:
        arrays |= empty_head(model)
        notes.append(has_new_head(model))
    try:
        with np.errstate(over="ignore"):        # float64 that float32 cannot hold: allowed, or refused above
            model.load_state_dict(arrays)
    except ValueError as error:             # a subclass with additional parameters
        raise WeightsError(f"{file.path}: {error}") from error
    if model.config.gelu != layout.gelu:
        _set_gelu(model, layout.gelu)
        notes.append(f"GELU now uses the {layout.gelu} form, with which these weights were probably trained: the "
                     f"{layout.name} code does, the file does not say")
    used = {m.theirs for m in mapped}
    return Report(file.path, layout.name, tuple(mapped), tuple(missing),
                  tuple(name for name in file.shapes if name not in used), tuple(notes), file.about)


def _check_finite(path: Path, name: str, array: Array) -> None:
    """Raise WeightsError for numbers that are not finite in float32."""
    with np.errstate(over="ignore"):
        wrong = array.size - int(np.isfinite(array.astype(np.float32, copy=False)).sum())
    if wrong:
        raise WeightsError(f"{path}: {wrong:,} of the {array.size:,} numbers in {name} are NaN or infinite, expected "
                           "finite weights: the model diverged or the file is damaged, so take another file; "
                           "--allow-nonfinite (allow_nonfinite=True in Python) reads it nevertheless")


def _set_gelu(model: MlpMixer, form: GeluForm) -> None:
    model.config = replace(model.config, gelu=form)
    for module in model.modules():
        if isinstance(module, GELU):
            module.form = form


def _measure(file: WeightsFile) -> dict[str, int]:
    """The sizes in a file, by the letters of the table, derived from its shapes.

    Raises
    ------
    WeightsError
        If the arrays are not those of a whole Mixer, or contradict each other.
    """
    layout, shapes = file.layout, file.shapes
    if "model.stem.weight" in shapes:
        raise WeightsError(f"{file.path} looks like a checkpoint of minimixer, which needs no import: to change its "
                           "layout, use minimixer export with its run folder")
    if "stem.weight" in shapes:
        raise WeightsError(f"{file.path} has minimixer's own names, as mm.weights.save writes them: build a model of "
                           "its sizes, and read it with mm.weights.load(model, path)")
    sizes = {"L": max(1, len(layout.blocks_in(shapes)))}
    expected = [(row, layout.name_of(row, block)) for row, block in rows_of(sizes["L"])]
    has_head = any(layout.name_of(row, 0) in shapes for row in TABLE if is_head(row))
    missing = [name for row, name in expected if name not in shapes and (has_head or not is_head(row))]
    if missing:
        raise WeightsError(f"{file.path} is not an MLP-Mixer in the {layout.name} layout: it lacks {_some(missing)}, "
                           f"and holds {_some(list(shapes))}")
    for row, name in expected:
        if len(shapes.get(name, ())) == len(row.shape):
            for letter, size in zip(layout.letters(row), shapes[name], strict=True):
                sizes.setdefault(letter, size)
    for row, name in expected:
        letters = layout.letters(row)
        if name in shapes and (0 in shapes[name] or shapes[name] != tuple(map(sizes.get, letters))):
            raise WeightsError(f"{file.path}: {name} has shape {shapes[name]}, expected ({', '.join(letters)}) = "
                               f"({', '.join(str(sizes.get(letter, '?')) for letter in letters)}), according to the "
                               "arrays before it: the file is damaged, or not a plain MLP-Mixer")
    return sizes


def _some(names: list[str]) -> str:
    return ", ".join(map(printable, names[:3])) + (f" and {len(names) - 3} more" if len(names) > 3 else "") or "nothing"


def _config(file: WeightsFile, image_size: int | None, num_classes: int | None) -> MixerConfig:
    sizes = _measure(file)
    side = math.isqrt(sizes["S"])
    if side * side != sizes["S"]:
        raise WeightsError(f"{file.path} has weights for S = (H / P)(W / P) = {sizes['S']} patches, which is not a "
                           "square number: only models for square images can be read")
    if num_classes is None and "K" not in sizes:
        raise WeightsError(f"{file.path} has no head: pass num_classes, the number of classes of a new head")
    k, rest = divmod(side * sizes["P"] if image_size is None else image_size, side * sizes["P"])
    if rest or k < 1:
        raise WeightsError(why_not(file.path, side, sizes["P"], f"images of {image_size} pixels"))
    try:
        return MixerConfig(
            image_size=k * side * sizes["P"], tokens_mlp_dim=k * k * sizes["D_S"], gelu=file.layout.gelu,
            num_classes=sizes["K"] if num_classes is None else num_classes,
            **{field: sizes[letter] for letter, field in FIELDS.items()})
    except ValueError as error:
        raise WeightsError(f"{file.path}: {error}") from error


def _check_fit(file: WeightsFile, sizes: Mapping[str, int], config: MixerConfig, new_head: bool) -> int:
    """The factor k by which the image size must grow for the model.  Raises WeightsError if any other size differs."""
    wanted = sizes_of(config)
    for letter, field in FIELDS.items():
        if sizes[letter] != wanted[letter]:
            raise WeightsError(f"{file.path} has {field} {sizes[letter]}, the model {wanted[letter]}: build the model "
                               "with weights.model_from, or use a file of the model's sizes")
    k = max(1, math.isqrt(wanted["S"] // sizes["S"]))
    if wanted["S"] != k * k * sizes["S"] or math.isqrt(sizes["S"]) ** 2 != sizes["S"]:
        side = math.isqrt(sizes["S"])
        raise WeightsError(why_not(file.path, side, sizes["P"], f"the model's images of {config.image_size} pixels"))
    if wanted["D_S"] != k * k * sizes["D_S"]:
        grown = f", k = {k} times the file's image size," if k > 1 else ""
        raise WeightsError(f"{file.path} has tokens_mlp_dim {sizes['D_S']}, the model {wanted['D_S']}: for images of "
                           f"{config.image_size} pixels{grown} it must be {k * k * sizes['D_S']}")
    if not new_head and sizes.get("K") != wanted["K"]:
        head = f"a head for {sizes['K']} classes" if "K" in sizes else "no head"
        raise WeightsError(f"{file.path} has {head}, the model has {wanted['K']} classes: pass new_head=True to start "
                           "with a head of zeros, as for fine-tuning")
    return k


def _save(model: MlpMixer, path: Path, layout: Layout, about: str) -> Report:
    _check_mixer(model)
    sizes = sizes_of(model.config)
    state = {name: to_numpy(tensor.data) for name, tensor in model.named_tensors()}
    arrays: dict[str, Array] = {}
    mapped = []
    for row, block in rows_of(sizes["L"]):
        theirs, ours = layout.name_of(row, block), row.ours.format(block)
        arrays[theirs] = layout.to_file(state[ours], row, sizes)
        mapped.append(Mapped(theirs, arrays[theirs].shape, ours, state[ours].shape))
    notes = [] if model.config.gelu == layout.gelu else [
        f"this model uses the {model.config.gelu} form of GELU, the {layout.name} code the {layout.gelu} form: expect "
        "slightly different logits there"]
    if not write_weights(path, layout, arrays, about):
        notes.append("an .npz file has no room for so many class names: minimixer import will need --labels, and "
                     "--mean and --std if the pixels are not on the scale -1..1")
    return Report(path, layout.name, tuple(mapped), notes=tuple(notes))
