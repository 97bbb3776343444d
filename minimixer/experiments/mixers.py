"""The Mixers whose weights are looked at: trained here, or of a run."""

from typing import Any

from minimixer.errors import UsageError
from minimixer.experiments.figures import name_of
from minimixer.experiments.lab import Lab, trained
from minimixer.experiments.learning import Training
from minimixer.experiments.runs import Arm
from minimixer.nn import MlpMixer, Module
from minimixer.train import load_run


def mixer_training(lab: Lab, arm: Arm, seed: int) -> Training:
    """The training run of a Mixer, with the patch size of the arm if it has one."""
    of = arm.settings
    changes = {"patch_size": of["patch_size"]} if "patch_size" in of else {}
    return Training(lab.options.config(lab.options.model, seed, of["lr"], **changes), lab.dataset)


def mixer_of(lab: Lab, arm: Arm, seed: int) -> tuple[str, MlpMixer, dict[str, Any]]:
    """A description of where a Mixer comes from, the Mixer, and the curve of its training, if it was trained here.

    Raises UsageError if ``--run`` holds another model.
    """
    options = lab.options
    if options.run is None:
        model: Module
        model, curve = trained(lab, arm, mixer_training(lab, arm, seed))
        accuracy = curve["test_accuracy"][-1]
        source = f"{options.model}, {options.steps:,} steps, {accuracy:.0%} on {name_of(lab.dataset.name)}"
    else:
        loaded = load_run(options.run)
        model, curve = loaded.model, {}
        source = f"{options.run.name}, step {loaded.metadata.get('step', 'unknown')}"
    if not isinstance(model, MlpMixer):
        raise UsageError(f"--run {options.run} holds a {type(model).__name__}: expected a Mixer, which has token "
                         "mixing")
    return source, model, curve
