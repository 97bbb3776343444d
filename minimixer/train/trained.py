"""Loads the model of a run, ready to use."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

import numpy as np

from minimixer import functional as F
from minimixer.autograd import no_grad
from minimixer.backend import Array, to_device, to_numpy
from minimixer.data.batches import check_pixels
from minimixer.errors import command_line
from minimixer.files import expand
from minimixer.nn import Model, ModelConfig, Module, build, list_pretrained
from minimixer.parallel.step import ShardedModel
from minimixer.parallel.workers import Workers
from minimixer.tensor import Tensor
from minimixer.text import printable
from minimixer.train import checkpoint
from minimixer.train.checkpoint import CheckpointError
from minimixer.train.own_model import Sizes, describe
from minimixer.weights.claims import check_claims
from minimixer.weights.kinds import not_a_checkpoint

PREFERRED = ("best.safetensors", "last.safetensors")


@dataclass(frozen=True)
class Trained:
    """A trained model with what it needs to read images and name classes; ``load_run`` makes it.

    Attributes
    ----------
    model : Module
        In evaluation mode.
    class_names : tuple of str
        One per class.
    mean, std : array, shape (channels,)
        Those of the training pixels, on the 0..1 scale.
    metadata : dict
        The metadata of the checkpoint, such as ``step``.
    path : Path
        The checkpoint file.
    """

    model: Module
    class_names: tuple[str, ...]
    mean: Array
    std: Array
    metadata: dict[str, Any]
    path: Path

    @property
    def sizes(self) -> ModelConfig:
        """The sizes of the model, such as the side of its images; also of one that has no ``config``."""
        if "own_model" in self.metadata:
            return Sizes(**{field.name: self.metadata["model"][field.name] for field in fields(Sizes)})
        return cast(Model, self.model).config

    def logits(self, images: Array, workers: int | None = None) -> np.ndarray:
        """The model's outputs before the softmax, computed exactly as a run computes its tests.

        Parameters
        ----------
        images : array of uint8, shape (B, H, W, channels)
            In the model's size, or in the size that its training enlarged; pixels in 0..255.
        workers : int, optional
            Threads; by default one per physical core.

        Returns
        -------
        array of float32, shape (B, num_classes)

        Raises
        ------
        ValueError
            If the images have another size or are not uint8.
        """
        check_pixels(images)
        if not len(images):
            return np.zeros((0, len(self.class_names)), np.float32)
        device = self.model.device
        with Workers(workers) as threads:
            sharded = ShardedModel(self.model, threads, to_device(self.mean, device), to_device(self.std, device),
                                   enlarged_from=self.metadata.get("side"), sizes=self.sizes)
            return to_numpy(sharded.predict(to_device(images, device)))

    def predict(self, images: Array, workers: int | None = None) -> np.ndarray:
        """Probability of every class, (B, num_classes), float32; arguments as for ``logits``."""
        with no_grad():
            return F.softmax(Tensor(self.logits(images, workers))).data

    def __repr__(self) -> str:
        return (f"Trained({str(self.path)!r}, {self.model.num_parameters():,} parameters, "
                f"{len(self.class_names)} classes, step {self.metadata.get('step', 'unknown')})")


def load_run(path: str | Path, device: str = "cpu", *, model: Module | None = None) -> Trained:
    """Load the model of a run.

    Parameters
    ----------
    path : str or Path
        A run folder, whose ``best.safetensors`` is loaded, or ``last.safetensors`` if there is no best; such a file
        itself; or the name of a model that comes with the package, such as ``cifar10-micro``.
    device : "cpu" or "gpu"
    model : Module, optional
        For a run that trained a model of your own: one made by the same code, which gets the run's weights.

    Returns
    -------
    Trained

    Raises
    ------
    CheckpointError
        If there is no such run, it has no checkpoint yet, the checkpoint is damaged, or the model is another one.
    DeviceError
        If there is no such device.
    """
    file = find_checkpoint(expand(path))
    if problem := not_a_checkpoint(file):
        raise CheckpointError(problem)
    arrays, metadata = checkpoint.read(file)
    try:
        weights = checkpoint.members(arrays, "model")
        model = _model(file, metadata, weights, model)
        class_names = tuple(map(str, metadata["class_names"]))
        mean, std = (np.asarray(metadata[name], np.float32) for name in ("mean", "std"))
        trained = Trained(model, class_names, mean, std, metadata, file)
        sizes = trained.sizes
        if len(class_names) != sizes.num_classes or not mean.shape == std.shape == (sizes.in_channels,):
            raise ValueError(f"{len(class_names)} class names, mean of shape {mean.shape}, std of {std.shape} for "
                             f"{sizes.num_classes} classes and {sizes.in_channels} channels")
        model.load_state_dict(weights)
    except (KeyError, TypeError, ValueError, AttributeError, MemoryError) as error:
        raise CheckpointError(f"{file} does not describe its own model ({type(error).__name__}: {error}): it was not "
                              "written by this version of minimixer train, or was changed since") from error
    model.eval().to(device)
    return trained


def _model(file: Path, metadata: Mapping[str, Any], weights: Mapping[str, Array], own: Module | None) -> Module:
    """The model of a checkpoint, without its weights.  Raises CheckpointError if a model of one's own is missing."""
    if said := metadata.get("own_model"):
        kind = printable(said["class"])
        if own is None:
            raise CheckpointError(f"{file} holds the weights of {kind}, a Module that only your own code can build: in "
                                  f"Python, pass one: mm.train.load_run({str(file.parent)!r}, model={kind}(...))")
        if describe(own) != said:
            raise CheckpointError(f"{file} holds the weights of {kind}: the {type(own).__name__} given as model= has "
                                  "other layers or parameters; build it as it was for the run")
        return own
    # Imported weights have no name: they are Mixers.
    name = metadata.get("model_name", "micro")
    if own is not None:
        raise CheckpointError(f"{file} holds a {printable(name)}, which it describes itself: load it without model=")
    check_claims(name, metadata["model"], {key: array.shape for key, array in weights.items()})
    return build(name, None, **metadata["model"])


def find_checkpoint(path: Path) -> Path:
    """The file to load for a run folder, a file or a model of the package.  Raises CheckpointError."""
    if path.is_file():
        return path
    if not path.exists():
        if str(path) in (known := list_pretrained()):
            return known[str(path)]
        raise CheckpointError(f"there is no run {path}: expected a run folder, such as runs/digits-pico-001, a "
                              f".safetensors file, or {', '.join(known)}, which comes with minimixer"
                              f"{_runs_beside(path)}")
    for name in PREFERRED:
        if (path / name).is_file():
            return path / name
    if (path / "config.json").is_file():
        raise CheckpointError(f"{path} has no checkpoint yet: its run was stopped before the end of its first epoch; "
                              f"begin it again with {command_line('minimixer', 'train', '--resume', '--out', path)}")
    raise CheckpointError(f"{path} is not a run folder: expected {' or '.join(PREFERRED)} in it{_runs_beside(path)}")


def _runs_beside(path: Path) -> str:
    """The names of runs nearby, in case the name was mistyped."""
    for folder in (path, path.parent, Path("runs")):
        if found := sorted(str(inside.parent) for inside in folder.glob("*/config.json")):
            return f"; there are {', '.join(found[-5:])}" + (" and others" if len(found) > 5 else "")
    return ""
