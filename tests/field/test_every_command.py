"""What holds for every command: ``~`` in paths, options without effect, and printed commands."""

import ast
import importlib
import re
import tomllib
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path

import pytest
import tyro

import minimixer
from minimixer.backend import gpu_problem
from minimixer.cli import COMMANDS
from minimixer.commands.bench import BENCHMARKS
from minimixer.commands.train import ESTIMATED, parse
from minimixer.console import check_effects, paths
from minimixer.errors import UsageError
from minimixer.experiments.table import EXPERIMENTS
from minimixer.options import Rule, check, rules
from minimixer.train import PRESETS, TrainConfig
from minimixer.train.run_folder import read_config, write_config
from tests.support.commands import run

PACKAGE = Path(minimixer.__file__).parent
EVERY = [*([name] for name in COMMANDS), *(["bench", name] for name in BENCHMARKS),
         *(["experiments", name] for name in EXPERIMENTS)]
MODULES = [*(f"commands.{command.module}" for command in COMMANDS.values()), *(f"bench.{name}" for name in BENCHMARKS),
           *(f"experiments.{experiment.module}" for experiment in EXPERIMENTS.values()), "experiments.options"]
SOURCES = {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py")
           if "student" not in path.parts}


def calls(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


@pytest.mark.parametrize("command", EVERY, ids=" ".join)
def test_every_command_reads_paths_in_the_one_way(command, monkeypatch, capsys):
    registries = []

    def spied(real):
        def spy(*given, **named):
            registries.append(named.get("registry"))
            return real(*given, **named)
        return spy

    for place, name in ((tyro, "cli"), (tyro.extras, "subcommand_cli_from_dict")):
        monkeypatch.setattr(place, name, spied(getattr(place, name)))
    assert run(command[0], [*command[1:], "--help"]) == 0
    assert all(registry is paths() for registry in registries)
    assert registries or command == ["experiments"]


def test_no_parser_is_called_beside_it():
    found = {file for file, tree in SOURCES.items() for call in calls(tree)
             if ast.unparse(call.func) in ("tyro.cli", "tyro.extras.subcommand_cli_from_dict")
             and "registry=paths()" not in ast.unparse(call)}
    assert found == set()


def test_a_path_in_any_form_begins_at_home(monkeypatch, tmp_path):
    @dataclass
    class Paths:
        one: Path
        maybe: Path | None = None
        many: tuple[Path, ...] = ()

    monkeypatch.setenv("HOME", str(tmp_path))
    found = tyro.cli(Paths, args=["--one=~/a", "--maybe", "~", "--many", "~/b", "c"], registry=paths())
    assert found == Paths(tmp_path / "a", tmp_path, (tmp_path / "b", Path("c")))


def test_training_finds_home_on_the_command_line_in_toml_and_in_python(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "run.toml").write_text('out = "~/run"\n')
    assert parse(["--config=~/run.toml"])[0].out == parse(["--out=~/run"])[0].out == tmp_path / "run"
    assert TrainConfig(out="~/run").out == TrainConfig(out=Path("~/run")).out == tmp_path / "run"


@pytest.mark.parametrize("command", [
    ["eval", "~/gone"], ["predict", "~/gone.png"], ["inspect", "~/gone"], ["import", "~/gone", "--out=~/new"],
    ["export", "~/gone", "--format=timm", "--out=~/new"], ["ship", "~/gone"],
    ["data", "path", "cifar10", "--data-dir=~/gone"],
    ["exercises", "check", "ex01", "~/gone"], ["exercises", "grade", "~/gone"],
    ["train", "--init-from=~/gone"]], ids=" ".join)
def test_a_command_looks_at_home(command, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert run(command[0], command[1:]) != 0
    printed = "".join("".join(capsys.readouterr()).split())
    assert str(tmp_path / "home" / "gone") in printed
    assert not (tmp_path / "~").exists()


# A command line for each rule: the option, and what else is asked.
IDLE = {
    "data_dir": ["--data-dir", "x"], "download": ["--download"], "test_share": ["--test-share", "0.3"],
    "magnitude": ["--magnitude", "10"],
    "mixing": ["--mixing", "0.5"], "cutmix": ["--cutmix", "1", "--mixing", "0"],
    "mixup": ["--mixup", "1", "--mixing", "0"], "model": ["--model", "micro", "--init-from", "x"],
    "patch_size": ["--patch-size", "2", "--model", "convnet-pico"], "overwrite": ["--overwrite", "--estimate"],
    "checkpoint_every": ["--checkpoint-every", "5", "--estimate"], "log_every": ["--log-every", "5", "--estimate"],
    "tensorboard": ["--tensorboard", "--estimate"], "precision": ["--precision", "tf32", "--device", "cpu"],
    "graph": ["--graph", "--device", "cpu"]}
ON_A_GPU = {"workers": 2, "kernels": "inplace"}
# These act with all data, models and devices; --out names the run also for --estimate.
ALWAYS = {
    "data", "classes", "validation", "batch_size", "crop_padding", "flip", "randaugment", "erasing", "image_size",
    "init_from", "stochastic_depth", "dropout",                                         # a model's own
    "epochs", "max_steps", "optimizer", "lr", "schedule", "warmup_steps", "weight_decay", "clip_norm",
    "label_smoothing", "ema", "seed", "device", "distributed", "blas_tune", "out", "resume"}


def test_each_option_of_training_acts_always_or_has_a_rule():
    ruled = {name for rule in [*rules(TrainConfig), ESTIMATED] for name in rule.options}
    assert ruled == IDLE.keys() | ON_A_GPU.keys()
    assert ruled | ALWAYS == {field.name for field in fields(TrainConfig)}
    assert not ruled & ALWAYS


@pytest.mark.parametrize("option", IDLE)
def test_an_option_of_training_without_effect_is_refused(option, tmp_path):
    with pytest.raises(UsageError, match=f"^--{option.replace('_', '-')} has no effect .*: leave it out, or "):
        parse(IDLE[option])


@pytest.mark.parametrize("option", ON_A_GPU)
def test_on_a_gpu_too(option):
    from types import SimpleNamespace
    asked = SimpleNamespace(**vars(replace(PRESETS["digits"], **{option: ON_A_GPU[option]})) | {"device": "gpu"})
    with pytest.raises(UsageError, match=f"--{option} has no effect on a GPU"):
        check_effects(asked, [option], rules(TrainConfig))


def test_toml_counts_as_given_and_presets_do_not(tmp_path):
    (tmp_path / "run.toml").write_text("magnitude = 5\n")
    with pytest.raises(UsageError, match="--magnitude has no effect without --randaugment"):
        parse(["--config", str(tmp_path / "run.toml")])
    assert parse(["cifar10-micro", "--cutmix", "0"])[0].mixing == PRESETS["cifar10-micro"].mixing
    assert parse(["--model", "convnet-pico"])[0].patch_size == PRESETS["digits"].patch_size


@pytest.mark.parametrize("values", [
    {"data_dir": "x"}, {"download": True}, {"magnitude": 3.0}, {"mixing": 0.3}, {"device": "cpu", "precision": "tf32"},
    {"model": "convnet-pico", "patch_size": 4}], ids=lambda values: next(iter(values)))
def test_a_configuration_in_python_is_checked_and_a_saved_one_is_not(values, tmp_path):
    with pytest.raises(UsageError, match="has no effect"):
        TrainConfig(**values)
    old = TrainConfig(**values, saved=True)
    write_config(tmp_path, old)
    assert read_config(tmp_path) == old
    assert parse(["--resume", "--out", str(tmp_path)])[0] == replace(old, resume=True, out=tmp_path)


@pytest.mark.parametrize("command", [
    "experiments permutation --data digits --download", "experiments ablation --quick --steps 5",
    "experiments ablation --redraw --lr 0.1", "experiments complexity --quick --seeds 3",
    "experiments token-weights --run x --batch-size 3", "experiments token-weights --run x --seeds 2",
    "experiments all --lr 0.1", "experiments learning-rates --optimizer adamw", "experiments optimizers --lr 1",
    "experiments data-size --quick --percents 5 10", "experiments patch-size --quick --estimate",
    "bench scaling --again x --rounds 3", "bench race --contenders numpy --plain-malloc",
    "bench learn --preset digits --data-dir x", "bench learn --contenders minimixer-muon --adamw-lr 1",
    "bench learn --contenders pytorch-adamw --muon-lr 1", "bench learn --contenders minimixer-muon --adamw-epochs 3",
    "bench learn --contenders pytorch-adamw --muon-epochs 3",
    "data path digits --data-dir x", "data verify digits --data-dir x", "data download digits --data-dir x",
    "exercises check ex01 --chain", "seeds --seed 3 --out x", "seeds --data-dir y --out x"])
def test_other_commands_refuse_them_too(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("ex01_broadcasting.py").write_text("")
    name, *arguments = command.split()
    if "ex01" in command:
        arguments.insert(2, "ex01_broadcasting.py")
    assert run(name, arguments) == 2
    assert " has no effect " in capsys.readouterr().err
    assert not Path("x").exists()


# Of every other command, the options that always act; those of train, seeds and the experiments are above and below.
# eval, play and ship ask the rules of training about the data set that they find (``--data-dir`` and its kin).
ALWAYS_OF = {
    "Evaluation": {"run", "data", "data_dir", "download", "test_share", "part", "json", "device", "blas_tune"},
    "ExportConfig": {"run", "file", "format", "out"},
    "Prediction": {"files", "example", "seen", "invert", "json", "top", "device"},
    "ImportConfig": {"file", "out", "image_size", "num_classes", "labels", "mean", "std", "allow_nonfinite"},
    "Inspection": {"model", "image_size", "json"}, "Playing": {"run", "out", "no_open"}, "Seeds": {"out", "seeds"},
    "Shipment": {"run", "out", "title", "data_dir", "workers", "blas_tune"}, "GpuRace": {"block", "folder", "rounds"},
    "First": {"config", "data", "out", "resume"}, "Cost": {"data_dir", "plot", "steps", "blas_tune"},
    "Ladder": {"json", "rounds", "blas_tune"},
    "Resolution": {"batch", "json", "plot", "rounds", "threads", "blas_tune"},
    "Learn": {"preset", "contenders", "model", "seeds", "tests", "threads", "json", "markdown", "plot", "blas_tune"},
    "Race": {"sizes", "batches", "modes", "contenders", "threads", "rounds", "full", "memory", "json", "markdown",
             "blas_tune"},
    "Scaling": {"again", "sharing", "blas_tune"}, "Options": {"out", "quick", "redraw", "blas_tune"},
    "Every": {"out", "quick", "redraw", "blas_tune"}}
NO_OPTIONS = {"Answer", "Flags", "Lesson", "Known", "Work", "Network", "Model", "Archive", "Experiment"}


def test_each_option_of_every_command_acts_always_or_has_a_rule():
    found = {}
    for name in {*MODULES, *(f"bench.{benchmark}" for benchmark in BENCHMARKS)}:
        module = importlib.import_module(f"minimixer.{name}")
        for options in vars(module).values():
            if (isinstance(options, type) and is_dataclass(options) and options.__module__ == module.__name__
                    and options.__name__ not in NO_OPTIONS):
                ruled = {option for rule in rules(options) for option in rule.options}
                base = "Options" if name.startswith("experiments.") else options.__name__
                found.setdefault(base, set()).update({field.name for field in fields(options)} - ruled)
    assert found == ALWAYS_OF


def test_a_rule_names_options_that_exist():
    classes = {value for module in MODULES for value in vars(importlib.import_module(f"minimixer.{module}")).values()
               if isinstance(value, type)}
    known = {field.name for options in classes if hasattr(options, "__dataclass_fields__") for field in fields(options)}
    for options in classes:
        for rule in rules(options):
            assert isinstance(rule, Rule)
            assert set(rule.options) <= known


def test_an_option_that_asks_for_nothing_passes():
    idle = replace(PRESETS["digits"], download=False, graph=False, device="cpu")
    check(idle, ["download", "data_dir", "graph"])


@pytest.mark.parametrize(("arguments", "message"), [
    (["--lr", "1", "--lr=2"], "--lr is given twice: give it once"),
    (["--flip", "--no-flip"], "--no-flip is given twice"),
    (["--out="], "--out is empty: expected a value"), (["--out", ""], "--out is empty: expected a value"),
    (["digit"], "there is no preset 'digit'; did you mean 'digits'"),
    (["--out=~nobody-of-this-name/x"], "cannot be found")])
def test_a_mistake_is_one_sentence(arguments, message, capsys):
    assert run("train", arguments) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error


# What a command may be printed with outside of command_line: words of our own, which need no quotes.
PLAIN = {"name", "archive.name", "started.id", "checked.id", "hinted.id", "later[0].id", "later[0]", "number + 1",
         "self.exercise.id", "self.exercise.lesson[:2]", "pretrained", "each", "family.name"}
COMMAND = re.compile(rf"minimixer (?:{'|'.join(COMMANDS)})[ `]")


def test_printed_commands_are_quoted():
    """A path, or any text that is not ours, goes into a printed command by ``command_line`` alone."""
    found = set()
    for file, tree in SOURCES.items():
        for text in (node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)):
            after = False
            for part in text.values:
                if isinstance(part, ast.Constant) and COMMAND.search(str(part.value)):
                    after = True
                elif isinstance(part, ast.Constant) and after and re.search(r"[`;,.:\n]", str(part.value)):
                    after = bool(COMMAND.search(str(part.value)))
                elif isinstance(part, ast.FormattedValue) and after and ast.unparse(part.value) not in PLAIN:
                    found.add((file, ast.unparse(part.value)))
    assert found <= {("nn/mixer.py", "changes[field]"), ("commands/train.py", "presets"),      # no part of a command
                     ("exercises/formats.py", "option"), ("exercises/show/student_page.py", "number"),
                     ("exercises/course/kit.py", "steps"), ("exercises/course/kit.py", "', '.join(names())"),
                     ("commands/doctor.py", "CORETYPE"), ("commands/doctor.py", "AVX512_KERNEL")}


def test_the_lowest_versions_are_those_that_are_tested():
    root = PACKAGE.parent
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    lowest = dict(re.findall(r"^([a-z]+)==([\d.]+)", (root / "tests" / "lowest.txt").read_text(), re.M))
    for dependency in project["dependencies"]:
        name, version = re.match(r"([a-z]+)>=([\d.]+)", dependency).groups()
        assert (lowest[name] + ".").startswith(version + "."), dependency


@pytest.mark.skipif(gpu_problem() is None, reason="there is a GPU")
def test_auto_is_the_device_of_this_machine():
    with pytest.raises(UsageError, match="--precision has no effect on a CPU"):
        parse(["--precision", "tf32"])
