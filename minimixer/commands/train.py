"""``minimixer train [PRESET] [--FLAGS]``: train a model; presets, a TOML file and flags make one configuration."""

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import tyro

from minimixer.console import check_effects, parse_known, paths
from minimixer.data.augment import Augment
from minimixer.data.known import KNOWN
from minimixer.errors import OK, UsageError, flag, nearest, settle
from minimixer.files import expand, read_text
from minimixer.options import Rule, given_in, rules
from minimixer.parallel.host import launched
from minimixer.train.config import (
    GROUPS,
    PRESETS,
    SUMMARIES,
    TrainConfig,
    without_old_flags,
    without_old_names,
)
from minimixer.train.loop import estimate, fit
from minimixer.train.run_folder import read_config
from minimixer.train.settings import Data, Machine, Model, Output, Recipe


@dataclass(frozen=True)
class Flags:
    """All flags, in the groups that the help shows."""

    data: Data
    augment: Augment
    model: Model
    recipe: Recipe
    machine: Machine
    output: Output
    config: Path | None = None
    """A TOML file with any of these settings, and perhaps preset = "NAME"; flags override it."""
    estimate: bool = False
    """Measure a few steps, print how long the run would take, and stop."""


@dataclass(frozen=True)
class First:
    """The flags to read first, because the defaults of all others depend on them."""

    config: Path | None = None
    data: str | None = None
    out: Path | None = None
    resume: bool = False


ESTIMATED = Rule(("overwrite", "checkpoint_every", "log_every", "tensorboard"), lambda given: given.estimate,
                 "with --estimate (nothing is written)", "leave out --estimate")


def main(arguments: Sequence[str]) -> int:
    """Train as the command line asks, and return the exit code."""
    place = launched()
    if place is not None and place[0] > 0:      # of processes that train together, only the first prints
        sys.stdout = sys.stderr = open(os.devnull, "w", errors="backslashreplace")      # noqa: SIM115 (never closed)
    config, only_estimate = parse(arguments)
    if config.distributed == "off" and place is not None:
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    if only_estimate:
        print(estimate(config))
        return OK
    history = fit(config)
    settle(sys.stdout)                          # the run is saved, whether it could be shown or not
    return 128 + history.interrupted if history.interrupted else OK


def parse(arguments: Sequence[str]) -> tuple[TrainConfig, bool]:
    """The configuration that a command line asks for, and whether only an estimate is wanted.

    Raises UsageError, or SystemExit from tyro, if it is invalid.
    """
    rest = without_old_flags(arguments)
    if rest != list(arguments):
        print("minimixer train: --compiled is now --kernels fast, --no-compiled is --kernels inplace", file=sys.stderr)
    named = rest.pop(0) if rest and not rest[0].startswith("-") else None
    first, _ = parse_known(First, f"train {named}" if named else "train", "", rest, add_help=False)
    settings = read_toml(first.config) if first.config else {}
    name = named or str(settings.pop("preset", "") or usual_preset(first.data or settings.get("data")))
    settings.pop("preset", None)
    if name not in PRESETS:
        raise UsageError(f"there is no preset {name!r}; {nearest(name, PRESETS)}")
    default = PRESETS[name]
    out = first.out or settings.get("out")
    saved = read_config(expand(str(out))) if out and (first.resume or settings.get("resume")) else None
    if saved is not None:
        if named and saved.data != default.data and {saved.data, default.data} & KNOWN.keys():
            raise UsageError(f"{out} holds a run on {saved.data}, not on {default.data}: resume it without a preset")
        default = saved
    source = name if saved is None else str(out)
    flags = tyro.cli(tyro.conf.OmitArgPrefixes[Flags], args=[*_as_flags(settings), *rest], default=_grouped(default),
                     prog=f"minimixer train {name}", description=_description(source), config=(tyro.conf.DisallowNone,),
                     registry=paths())
    values = {name: value for group in GROUPS for name, value in asdict(getattr(flags, group)).items()}
    check_effects(SimpleNamespace(**values, estimate=flags.estimate),
                  [*settings, *given_in(rest, {**values, "estimate": None})], [ESTIMATED, *rules(TrainConfig)])
    return TrainConfig(**values), flags.estimate


def usual_preset(data: object) -> str:
    """The preset of a command line that names none."""
    return "digits" if data is None or data in KNOWN else "photos"


def _grouped(config: TrainConfig) -> Flags:
    return Flags(**{name: group(**{f.name: getattr(config, f.name) for f in fields(group)})
                    for name, group in GROUPS.items()})


def _description(source: str) -> str:
    presets = "\n".join(f"- {preset}: {summary}" for preset, summary in SUMMARIES.items())
    return (f"Train a Mixer: minimixer train [PRESET] [OPTIONS].  Presets:\n{presets}\n\n"
            f"The defaults shown are those of {source}.")


def read_toml(path: Path) -> dict[str, Any]:
    """Settings of a TOML file: the names of the flags, with _ or -.  Raises UsageError."""
    import tomllib
    try:
        content = tomllib.loads(read_text(expand(path)))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"--config {path} cannot be read as TOML: {error}") from error
    settings = without_old_names({name.replace("-", "_"): value for name, value in content.items()})
    known = ["preset", *(f.name for f in fields(TrainConfig))]
    for name, value in settings.items():
        if name not in known:
            raise UsageError(f"{path}: there is no setting {name!r}; {nearest(name, known)}")
        if value == "":
            raise UsageError(f"{path}: {name} is empty: expected a value")
        if isinstance(value, (dict, list)):
            raise UsageError(f"{path}: {name} is a {'table' if isinstance(value, dict) else 'list'}: expected one "
                             f"value, {name} = ...")
    return settings


def _as_flags(settings: dict[str, Any]) -> list[str]:
    """Settings written as flags, so that a file is checked like the command line."""
    flags = []
    for name, value in settings.items():
        if isinstance(value, bool):
            flags.append(flag(name if value else f"no_{name}"))
        else:
            flags += [flag(name), str(value)]
    return flags
