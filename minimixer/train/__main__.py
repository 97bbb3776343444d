"""``python -m minimixer.train [PRESET] [--FLAGS]``, the same as ``minimixer train``."""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import tyro

from minimixer.data.augment import Augment
from minimixer.errors import OK, UsageError, flag, nearest, run_command
from minimixer.parallel.host import launched, prepare_process
from minimixer.train.config import (
    GROUPS,
    PRESETS,
    SUMMARIES,
    Data,
    Machine,
    Model,
    Output,
    Recipe,
    TrainConfig,
    without_old_flags,
    without_old_names,
)
from minimixer.train.loop import estimate, fit
from minimixer.train.run_folder import read_config


@dataclass(frozen=True)
class Flags:
    """The flags of a command line, in the groups that the help shows."""

    data: Data
    augment: Augment
    model: Model
    recipe: Recipe
    machine: Machine
    output: Output
    config: Path | None = None
    """A TOML file with any of these settings, and perhaps preset = "NAME"; flags override it."""
    estimate: bool = False
    """Measure a few steps, say how long the run would take, and stop there."""


def parse(arguments: Sequence[str]) -> tuple[TrainConfig, bool]:
    """The configuration that a command line asks for, and whether only an estimate is wanted.

    Raises UsageError, or SystemExit from tyro, if it cannot be read.
    """
    rest = without_old_flags(arguments)
    if rest != list(arguments):
        print("minimixer train: --compiled is now --kernels fast, --no-compiled is --kernels inplace", file=sys.stderr)
    named = rest.pop(0) if rest and not rest[0].startswith("-") else None
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    early.add_argument("--config", type=Path, nargs="?")       # a missing value is for tyro to explain
    early.add_argument("--out", type=Path, nargs="?")
    early.add_argument("--resume", action="store_true")
    known, _ = early.parse_known_args(rest)
    settings = read_toml(known.config) if known.config else {}
    preset = str(settings.pop("preset", "digits"))
    name = named or preset
    if name not in PRESETS:
        raise UsageError(f"there is no preset {name!r}; {nearest(name, PRESETS)}")
    default = PRESETS[name]
    out = known.out or settings.get("out")
    saved = read_config(Path(str(out))) if out and (known.resume or settings.get("resume")) else None
    if saved is not None:
        if named and saved.data != default.data:
            raise UsageError(f"{out} holds a run on {saved.data}, not on {default.data}: resume it without a preset")
        default = saved
    whose = name if saved is None else str(out)
    flags = tyro.cli(tyro.conf.OmitArgPrefixes[Flags], args=[*_as_flags(settings), *rest], default=_grouped(default),
                     prog=f"minimixer train {name}", description=_description(whose), config=(tyro.conf.DisallowNone,))
    config = TrainConfig(**{name: value for group in GROUPS for name, value in asdict(getattr(flags, group)).items()})
    return config, flags.estimate


def _grouped(config: TrainConfig) -> Flags:
    return Flags(**{name: group(**{f.name: getattr(config, f.name) for f in fields(group)})
                    for name, group in GROUPS.items()})


def _description(whose: str) -> str:
    presets = "\n\n".join(f"{preset}: {summary}" for preset, summary in SUMMARIES.items())
    return f"Train a Mixer.  Presets:\n\n{presets}\n\nThe defaults below are those of {whose}."


def read_toml(path: Path) -> dict[str, Any]:
    """Settings of a TOML file: the names of the flags, with _ or -.  Raises UsageError."""
    import tomllib
    try:
        content = tomllib.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise UsageError(f"--config {path} cannot be read as TOML: {error}") from error
    settings = without_old_names({name.replace("-", "_"): value for name, value in content.items()})
    known = ["preset", *(f.name for f in fields(TrainConfig))]
    for name, value in settings.items():
        if name not in known:
            raise UsageError(f"{path}: there is no setting {name!r}; {nearest(name, known)}")
        if isinstance(value, (dict, list)):
            raise UsageError(f"{path}: {name} is a {'table' if isinstance(value, dict) else 'list'}: expected one "
                             f"value, {name} = ...")
    return settings


def _as_flags(settings: dict[str, Any]) -> list[str]:
    """Settings as they would be written on the command line, so that both are checked alike."""
    flags = []
    for name, value in settings.items():
        if isinstance(value, bool):
            flags.append(flag(name if value else f"no_{name}"))
        else:
            flags += [flag(name), str(value)]
    return flags


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as the command line says, and return the exit code."""
    def command() -> int:
        config, only_estimate = parse(sys.argv[1:] if arguments is None else arguments)
        if config.distributed == "off" and launched():
            sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
        if only_estimate:
            print(estimate(config))
            return OK
        history = fit(config)
        return 128 + history.interrupted if history.interrupted else OK

    place = launched()
    if place is not None and place[0] > 0:      # of processes that train together the first speaks
        sys.stdout = sys.stderr = open(os.devnull, "w")     # noqa: SIM115 (until the process ends)
    return run_command("train", command)


if __name__ == "__main__":
    prepare_process(sys.argv[1:])
    sys.exit(main())
