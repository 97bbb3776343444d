"""The run that a fine-tune starts from (``--init-from``)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from minimixer.data import Dataset
from minimixer.errors import UsageError
from minimixer.files import read_json
from minimixer.nn import Model
from minimixer.train.checkpoint import CheckpointError
from minimixer.train.own_model import nearest_name
from minimixer.train.resume import LAST
from minimixer.train.run_folder import CONFIG, is_being_replaced
from minimixer.train.settings import ModelName
from minimixer.train.trained import Trained, load_run
from minimixer.weights import adapt


@dataclass(frozen=True)
class Source:
    """A trained model to start from, read once.

    Attributes
    ----------
    init_from : Path
        As the configuration names it.
    trained : Trained
        The model and the mean and standard deviation of its pixels.  Its weights were made for that scale (-1..1 for
        the official ones), so a fine-tune keeps it.
    said : dict or None
        What the config.json of a resumed run says of its source.
    """

    init_from: Path
    trained: Trained
    said: dict[str, Any] | None = None

    @property
    def model_name(self) -> ModelName:
        """The name of the model.  Imported weights have none; then that of the nearest Mixer."""
        if "model_name" in self.trained.metadata:
            return cast(ModelName, self.trained.metadata["model_name"])
        return cast(ModelName, nearest_name(self.trained.sizes))

    def model_for(self, dataset: Dataset, image_size: int, **rates: float) -> tuple[Model, dict[str, Any]]:
        """The source's model, changed to fit a data set, on the CPU.

        Parameters
        ----------
        dataset : Dataset
        image_size : int
            Side of the images that the model takes.
        **rates : float
            ``dropout`` and ``stochastic_depth``.

        Returns
        -------
        model : Model
        said : dict
            For config.json: the source's name, its step, and what was changed.

        Raises
        ------
        UsageError, WeightsError
            If the model does not fit the images.
        """
        old, channels = self.trained.sizes, dataset.train_images.shape[-1]
        if channels != old.in_channels:
            raise UsageError(f"--init-from {self.init_from}: its images have {old.in_channels} channels, those of "
                             f"{dataset.name} have {channels}: choose other data or another source")
        changes = {name: rate for name, rate in rates.items() if rate or hasattr(old, name)}
        new_head = dataset.class_names != self.trained.class_names
        try:
            model, notes = adapt(cast(Model, self.trained.model), image_size=image_size,
                                 num_classes=dataset.num_classes, new_head=new_head,
                                 source=f"--init-from {self.init_from}", **changes)
        except TypeError as error:              # a field that its config does not have
            kind = type(self.trained.model).__name__
            raise UsageError(f"--init-from {self.init_from} holds a {kind}: {error}") from error
        said = {"init_from": str(self.init_from), "step": self.trained.metadata.get("step"), "changes": notes}
        return model, self.said or said


def read_source(init_from: Path | None, resumed: Path | None = None) -> Source | None:
    """The source of a run, if it has one.

    Parameters
    ----------
    init_from : Path or None
    resumed : Path, optional
        The folder of a run that goes on: it is its own source, in case the first one is gone.

    Raises
    ------
    CheckpointError
        If the source is missing or damaged.
    """
    if init_from is None:
        return None
    if resumed is not None and (resumed / LAST).is_file() and not is_being_replaced(resumed):
        return Source(init_from, load_run(resumed / LAST), _said(resumed))
    try:
        return Source(init_from, load_run(init_from))
    except CheckpointError as error:
        advice = "; convert official files and timm's with minimixer import first" if init_from.is_file() else ""
        raise CheckpointError(f"--init-from: {error}{advice}") from error


def _said(folder: Path) -> dict[str, Any] | None:
    """What a run's config.json says of its source."""
    try:
        said = read_json(folder / CONFIG)["source"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return said if isinstance(said, dict) else None
