"""Generate the pages not written by hand: lessons, commands, model cards, and a reference of every public name."""

import importlib
import inspect
import json
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import is_dataclass, replace
from pathlib import Path
from types import ModuleType

import minimixer
from minimixer import play, train
from minimixer.cli import COMMANDS

ROOT = Path(__file__).parent.parent
FIRST = ["functional", "nn", "optim", "data", "train", "plots", "gradcheck", "tensor", "autograd", "backend", "ops",
         "gpu"]                     # the other rooms follow alphabetically
LESSONS = ("Each lesson is a notebook that runs on a laptop, without a network. These pages show the outputs of "
           "the last build.")
LESSONS_IN = {"ko": ("레슨", "한국어로 읽을 수 있는 레슨입니다. 코드와 출력은 영어 레슨과 똑같습니다. 나머지 레슨은 "
                     "[영어](../index.md)로 있습니다.")}
REFERENCE = ("Every public name, room by room. Shapes are tuples of letters from the [glossary](../glossary.md); (...) "
             "stands for any axes.")
FORMS = ("reference.py", "inplace.py", "compiled.py", "cuda.py", "kernel.cu")
COMMAND_ROOMS = {"cli", "commands", "bench"}      # nothing to import: the commands page shows them


def write(docs: Path) -> None:
    """Write all generated pages into folders of ``docs`` that git ignores."""
    for folder in ("lessons", "reference"):
        shutil.rmtree(docs / folder, ignore_errors=True)
        (docs / folder).mkdir()
    notebooks(docs / "lessons", "Lessons", LESSONS)
    for language, (title, text) in LESSONS_IN.items():
        notebooks(docs / "lessons" / language, title, text, language)

    rooms = [info.name for info in pkgutil.iter_modules(minimixer.__path__) if info.name not in COMMAND_ROOMS]
    rooms.sort(key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))
    seen: set[int] = set()
    texts = {"minimixer": room("minimixer", seen)}
    texts |= {name: ops() if name == "ops" else room(f"minimixer.{name}", seen) for name in rooms}
    for name, text in texts.items():
        (docs / "reference" / f"{name}.rst").write_text(text)
    (docs / "reference" / "commands.md").write_text(commands())
    playground(docs / "play")
    cards = sorted((ROOT / "minimixer" / "pretrained").glob("*.md"))
    for card in cards:
        shutil.copy(card, docs / "reference")
    entries = [*texts, "commands", *(card.stem for card in cards)]
    (docs / "reference" / "index.md").write_text(index("Reference", REFERENCE, entries))


def notebooks(folder: Path, title: str, text: str, language: str = "") -> None:
    """The lessons of a language, with an index."""
    folder.mkdir(exist_ok=True)
    built = ROOT / "lessons" / "notebooks" / language
    paths = sorted(built.glob("[0-9]*.ipynb"))
    for path in paths:
        linked = re.sub(r"\[([^][\n]*)\]\(([./]*\d\d_\w+\.ipynb)\)",
                        lambda link: link[0] if (built / link[2]).exists() else link[1],
                        path.read_text(encoding="utf-8"))       # a lesson not written yet has no page
        (folder / path.name).write_text(with_alt(linked.replace("../../docs/", "../")), encoding="utf-8")
    (folder / "index.md").write_text(index(title, text, [path.stem for path in paths]), encoding="utf-8")


def with_alt(notebook: str) -> str:
    """The text of a notebook in which cells tell myst-nb what their images show; it does not read this in outputs."""
    content = json.loads(notebook)
    for cell in content["cells"]:
        alts = [output.get("metadata", {}).get("image/png", {}).get("alt", "") for output in cell.get("outputs", [])]
        if any(alts):
            cell["metadata"]["mystnb"] = {"image": {"alt": " ".join(filter(None, alts))}}
    return json.dumps(content)


def playground(folder: Path) -> None:
    """The pages in which one draws: for a Mixer that is trained on the digits now, and for cifar10-micro."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with tempfile.TemporaryDirectory() as work:
        history = train.fit(replace(train.PRESETS["digits"], out=Path(work) / "digits"), reporter=train.Callback())
        play.page(train.load_run(history.out), "Digits").save(folder / "play-digits.html")
    play.page(train.load_run("cifar10-micro"), "cifar10-micro").save(folder / "play-cifar10-micro.html")


def index(title: str, text: str, entries: list[str]) -> str:
    """The index page of a folder."""
    return "\n".join([f"# {title}\n", text, "", "```{toctree}", ":maxdepth: 1", "", *entries, "```", ""])


def room(name: str, seen: set[int]) -> str:
    """A page of a module's public names, or those of its files if it is a bare package, without names already shown."""
    importlib.import_module(name)
    module = sys.modules[name]          # `minimixer.gradcheck` is the function; only sys.modules has its module
    parts = [heading(name, "="), inspect.getdoc(module) or ""]
    names = public_names(module)
    if not names and hasattr(module, "__path__"):
        for info in pkgutil.iter_modules(module.__path__):
            if not info.name.startswith("_"):
                file = importlib.import_module(f"{name}.{info.name}")
                parts += [heading(info.name, "-"), inspect.getdoc(file) or ""]
                parts += [entry(file, public, seen) for public in public_names(file)]
    return "\n\n".join(parts + [entry(module, public, seen) for public in names]) + "\n"


def public_names(module: ModuleType) -> list[str]:
    """The public names of a module: ``__all__``, or the classes and functions defined in it."""
    def written_here(value: object) -> bool:
        return (inspect.isclass(value) or inspect.isfunction(value)) and value.__module__ == module.__name__

    named = getattr(module, "__all__", None)
    return list(named or [n for n, value in vars(module).items() if not n.startswith("_") and written_here(value)])


def entry(module: ModuleType, name: str, seen: set[int]) -> str:
    """The directive that documents one public name; empty for modules and for names already shown."""
    value = getattr(module, name)
    if isinstance(value, ModuleType) or name.startswith("_") or id(value) in seen:
        return ""
    seen.add(id(value))
    path = f"{module.__name__}.{name}"
    if inspect.isclass(value):
        inherited = "\n   :inherited-members: object" if is_dataclass(value) else ""
        return f".. autoclass:: {path}\n   :members:{inherited}"
    if inspect.isfunction(value):
        return f".. autofunction:: {path}"
    keys = ", ".join(f"``{key!r}``" for key in value) if isinstance(value, dict) else f"``{value!r}``"
    return f".. py:data:: {path}\n\n   {'A dict of ' if isinstance(value, dict) else ''}{keys}."


def ops() -> str:
    """The source of the ops: forward and backward of each are side by side, so the file is its own reference."""
    package = Path(importlib.import_module("minimixer.ops").__file__ or "").parent
    parts = [heading("minimixer.ops", "="), "An op with one form is one file; an op with several is a folder, and its "
             "``reference.py`` is the one to read. Forward and backward compute on plain arrays; ``xp`` is their array "
             "module, NumPy or CuPy."]
    for path in sorted(package.glob("*.py")):
        if path.name != "__init__.py":
            parts += source(path)
    for folder in sorted(path.parent for path in package.glob("*/reference.py")):
        parts += [part for form in FORMS if (folder / form).exists() for part in source(folder / form)]
    return "\n\n".join(parts) + "\n"


def source(path: Path) -> list[str]:
    """A heading, and the text of a file."""
    name = path.relative_to(ROOT / "minimixer").as_posix()
    language = "python" if path.suffix == ".py" else "cuda"
    return [heading(name, "-"), f".. literalinclude:: ../../minimixer/{name}\n   :language: {language}"]


def commands() -> str:
    """The help text of every command."""
    def say(*arguments: str) -> str:
        environment = os.environ | {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"}
        said = subprocess.run([sys.executable, "-m", "minimixer.cli", *arguments, "--help"], capture_output=True,
                              text=True, env=environment, cwd=ROOT)
        return f"```text\n{(said.stdout or said.stderr).rstrip()}\n```\n"

    parts = ["# Commands\n", say()]
    for name in COMMANDS:
        parts += [f"## minimixer {name}\n", say(name)]
    return "\n".join(parts)


def heading(text: str, sign: str) -> str:
    """A reStructuredText heading."""
    return f"{text}\n{sign * len(text)}"
