"""Names that others chose never control the terminal, a page or a picture: class names, keys, files, paths."""

import contextlib
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from minimixer import weights
from minimixer.console import table
from minimixer.data.sources.cifar import CIFAR10
from minimixer.errors import MinimixerError, UsageError, run_command
from minimixer.nn import mixer
from minimixer.plots.style import label
from minimixer.text import markdown, printable
from minimixer.train import PRESETS, checkpoint, fit
from minimixer.train.progress import NotebookReporter, TerminalReporter
from tests.support.cifar_files import official, unpack
from tests.support.commands import data, evaluate, inspect, predict, run

HOSTILE = ["\x1b[2J\x1b]0;owned\x07", "a$x$ $\\frac$", "**bold** [link](http://evil.example) `code`",
           "<script>alert(1)</script>", ":smile: [red]markup[/red]", "x" * 100_000, "\u202egnp.exe", "| cell |",
           "line\nbreak\rreturn", "$\\undefined{"]
# What no output may hold: control characters other than line breaks, and text that changes direction.
FORBIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def assert_harmless(text, longest=20_000):
    assert not FORBIDDEN.search(text), ascii(FORBIDDEN.search(text))
    assert len(text) < longest
    assert "\N{SMILING FACE WITH OPEN MOUTH AND SMILING EYES}" not in text


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder whose own name is hostile."""
    path = tmp_path_factory.mktemp("names") / "\x1b[31m:smile:[bold]$x$ <b>"
    path.mkdir()
    return path


@pytest.fixture(scope="module")
def cifar(folder):
    """CIFAR-10 with hostile class names."""
    files = official(CIFAR10, count=20)
    lines = [" ".join(name.splitlines()) for name in HOSTILE]
    files[CIFAR10.names_file] = "\n".join(lines).encode()
    return unpack(folder / "cifar-10-batches-bin", files)


@pytest.fixture(scope="module")
def trained(folder, cifar):
    """A run on these, with what it printed."""
    screen = io.StringIO()
    config = replace(PRESETS["cifar10"], data_dir=cifar, model="pico", batch_size=50, max_steps=2, workers=1,
                      out=folder / "run")
    with contextlib.redirect_stdout(screen):
        fit(config, callbacks=[TerminalReporter()])
    return folder / "run", screen.getvalue()


def test_train_and_its_reports(trained):
    out, printed = trained
    assert "into" in printed
    assert_harmless(printed)
    report = (out / "report.md").read_text()
    assert_harmless(report)
    assert "<script>" not in report
    assert not re.search(r"(?<!\\)\*\*|(?<!\\)\[link|(?<!\\)`code|(?<!\\)\$", report)
    for picture in ("curves.png", "confusion.png", "mistakes.png"):
        assert (out / picture).stat().st_size > 1000


def test_the_table_of_a_notebook(trained, folder):
    reporter = NotebookReporter()
    reporter.above = [printable(f"into {folder}/<script>", None)]
    page = reporter._page("<script>")
    assert "<script>" not in page
    assert_harmless(page)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_predict(options, trained, folder, capsys):
    images = [folder / "\x1b[1mgood:smile:.png", folder / "\x1b[1mbad[red].png", folder / "\x07missing.png"]
    Image.new("RGB", (32, 32), "red").save(images[0])
    images[1].write_bytes(b"\x1b]0;title\x07")
    assert predict([trained[0], *images, "--top", "10", *options]) == 3
    shown = capsys.readouterr()
    assert_harmless(shown.err)
    assert ":smile:" in shown.out
    if options:                                     # whoever reads JSON gets the very names
        rows = json.loads(shown.out.splitlines()[0])["predictions"]
        assert {"x" * 100_000} <= {row["class"] for row in rows}
        assert not FORBIDDEN.search(shown.out)
    else:
        assert_harmless(shown.out)
        assert "[red]markup[/red]" in shown.out


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_eval(options, trained, cifar, capsys):
    assert evaluate([trained[0], "--data-dir", cifar, *options]) == 0
    shown = capsys.readouterr()
    assert_harmless(shown.out, 300_000 if options else 20_000)
    assert ":smile:" in shown.out


def test_inspect(trained, capsys):
    assert inspect([trained[0]]) == 0
    assert inspect([f"{trained[0]}/\x1b[31mnone"]) == 2
    shown = capsys.readouterr()
    assert_harmless(shown.out)
    assert_harmless(shown.err)


def test_data_list_and_verify(cifar, folder, capsys):
    for arguments in (["list", "--data-dir", cifar], ["verify", "cifar10", "--data-dir", cifar],
                      ["verify", "cifar10", "--data-dir", folder / "\x1b[31mnone"]):
        data(arguments)
    shown = capsys.readouterr()
    assert str(folder).replace("\x1b", r"\x1b") in shown.out
    assert_harmless(shown.out)
    assert_harmless(shown.err)


@pytest.mark.parametrize("name", HOSTILE)
def test_import_and_export(name, tmp_path, folder, capsys):
    model = mixer("micro", seed=0)
    file = folder / "weights\x1b[31m:smile:.safetensors"
    file.unlink(missing_ok=True)
    weights.save_timm(model, file)
    code = run("import", [file, "--out", tmp_path / "\x1b[31mrun"])
    shown = capsys.readouterr()
    assert code == 0, shown.err
    assert_harmless(shown.out)
    out = tmp_path / "\x1b[31m.safetensors"
    assert run("export", [tmp_path / "\x1b[31mrun", "--format", "timm", "--out", out]) == 0
    assert_harmless(capsys.readouterr().out)
    save_file({name: np.zeros(3, np.float32)}, tmp_path / "others.safetensors")
    assert run("import", [tmp_path / "others.safetensors", "--out", tmp_path / "none"]) == 1
    assert_harmless(capsys.readouterr().err)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_checkpoint_with_other_keys(name, tmp_path, capsys):
    checkpoint.save(tmp_path / "a.safetensors", mixer("micro", seed=0), None, {
        "model": {name: 1}, "class_names": [name], "mean": [0.5] * 3, "std": [0.5] * 3, "step": 0})
    (tmp_path / "a.png").write_bytes(b"")
    assert predict([tmp_path / "a.safetensors", tmp_path / "a.png"]) == 1
    assert_harmless(capsys.readouterr().err)


@pytest.mark.parametrize("name", HOSTILE)
def test_every_error_and_every_cell_is_printable(name, capsys):
    def fail():
        raise UsageError(f"{name} is wrong")

    assert run_command("x", fail) == 2
    assert_harmless(capsys.readouterr().err)
    assert_harmless(str(MinimixerError(name)))
    rows = table("a")
    rows.add_row(name)
    assert_harmless("".join(rows.columns[0].cells))


@pytest.mark.parametrize("name", HOSTILE)
def test_markdown_and_formulas_show_the_name_itself(name):
    shown = markdown(name)
    assert_harmless(shown)
    assert not re.search(r"(?<!\\)[`*_\[\]|$~]", re.sub(r"\\\\", "", shown))
    assert not re.search(r"[<>]", shown)
    assert not re.search(r"(?<!\\)\$", label(name))
    assert markdown("airplane") == label("airplane") == "airplane"
