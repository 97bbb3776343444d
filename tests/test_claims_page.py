"""The page of claims is what its files give: no number or verdict in it is written by hand."""

import io
import json
import runpy
from pathlib import Path

import pytest
from PIL import Image

from minimixer.errors import UsageError
from minimixer.experiments import stored
from minimixer.experiments.report import judged, report
from minimixer.experiments.runs import Runs
from minimixer.experiments.table import EXPERIMENTS
from minimixer.files import sha256_of

DOCS = Path(__file__).parent.parent / "docs"
FILES = sorted((DOCS / "claims").glob("*.json"))


@pytest.fixture
def builder(monkeypatch):
    return runpy.run_path(str(DOCS / "build_claims.py"))


def test_the_committed_page_is_what_the_committed_files_give(builder):
    assert (DOCS / "claims.md").read_text() == builder["page"](), "run python docs/build_claims.py"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_verdict_follows_from_its_runs(path):
    content = stored.read(path)
    assert content["experiment"] == path.stem
    claims = judged(EXPERIMENTS[path.stem].load().CLAIMS, stored.runs_of(content))
    assert json.loads(json.dumps(content["claims"])) == json.loads(json.dumps(claims)), "take over the results again"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_figure_was_drawn_from_its_file(path):
    with Image.open(DOCS / "images" / f"claims-{path.stem}.png") as image:
        assert image.text["Source"] == f"sha256:{sha256_of(path)}", "run python docs/build_claims.py"


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("change", ["first", "failed"])
def test_what_is_unfinished_or_failed_is_judged_and_drawn_too(path, change):
    content = stored.read(path)
    if change == "failed":
        lines = [{name: value for name, value in line.items() if name != "result"} | {"failed": "no number"}
                 if line["seed"] == 0 else line for line in content["runs"]]
    else:
        lines = content["runs"][:1]
    module, runs = EXPERIMENTS[path.stem].load(), Runs(lines, content["options"])
    claims = judged(module.CLAIMS, runs)
    said = report(module, runs, claims)
    assert said
    module.draw(runs, claims).savefig(io.BytesIO())
    if change == "failed":
        assert "failed" in said
        assert not claims or any("failed" in part["why"] for claim in claims for part in claim["parts"])


def test_every_claim_is_in_the_table_with_its_verdict(builder):
    page = builder["page"]()
    for name, experiment in EXPERIMENTS.items():
        for claim in experiment.load().CLAIMS:
            row, = [line for line in page.splitlines() if line.startswith(f"| [{claim.says}](")]
            path = DOCS / "claims" / f"{name}.json"
            verdict = next((found["verdict"] for found in stored.read(path)["claims"] if found["says"] == claim.says),
                           None) if path.exists() else "cannot be told"
            assert row.endswith(f"**{verdict}** |")
            assert claim.paper in row


def test_another_number_makes_another_page(builder, tmp_path):
    page, names = builder["page"], builder["page"].__globals__
    before = page()
    (tmp_path / "claims").mkdir()
    for path in FILES:
        (tmp_path / "claims" / path.name).write_bytes(path.read_bytes())
    names["STORED"] = tmp_path / "claims"
    assert page() == before
    path = tmp_path / "claims" / "ablation.json"
    content = stored.read(path)
    content["runs"][0]["result"]["test_accuracy"][-1] = 0.987
    stored.write(path, content)
    assert page() != before
    assert "98.7" in page()
    path.unlink()
    assert "Not measured yet: `minimixer experiments ablation`" in page()


def test_results_are_taken_over_without_what_is_of_the_machine(builder, tmp_path):
    names = builder["take"].__globals__
    names["STORED"] = tmp_path / "claims"
    with pytest.raises(UsageError, match="holds no results of an experiment"):
        builder["take"](tmp_path)
    content = stored.read(DOCS / "claims" / "cnn-identity.json")
    stored.write(tmp_path / "cnn-identity.json", {**content, "machine": {"system": "x"}, "expected_minutes": 3})
    builder["take"](tmp_path)
    assert (tmp_path / "claims" / "cnn-identity.json").read_bytes() == (DOCS / "claims" / "cnn-identity.json"
                                                                       ).read_bytes()
