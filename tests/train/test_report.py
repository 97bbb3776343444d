import json
from dataclasses import replace

import numpy as np
import pytest

from minimixer.data import load_digits
from minimixer.train import PRESETS, Callback, RunError, fit, report

QUICK = replace(PRESETS["digits"], max_steps=30, workers=1)


class Catch(Callback):
    """Keeps where the run ended, to be looked at."""

    def finish(self, progress):
        self.state = progress.state


@pytest.fixture
def reported(monkeypatch):
    """The runs that reports were written from, with the best logits: as the run had them, and computed again."""
    caught, write = [], report.write

    def keep(run, best_logits):
        caught.append((run, best_logits, report.logits_of_best(run)))
        write(run, best_logits)

    monkeypatch.setattr(report, "write", keep)
    return caught


def test_the_confusion_matrix_counts_true_rows_and_predicted_columns():
    labels, predicted = np.array([0, 0, 1, 2, 2]), np.array([0, 1, 1, 0, 2])
    assert report.confusion_matrix(labels, predicted, 3).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 1]]


def test_the_report_states_what_the_metrics_hold(reported, tmp_path):
    history = fit(replace(QUICK, out=tmp_path / "run"))
    [(run, best, again)] = reported
    text = (history.out / "report.md").read_text()
    tests = [line for line in history.metrics if "test_accuracy" in line]
    best_test = max(tests, key=lambda line: (line["test_accuracy"], -line["test_loss"]))
    assert f"| test accuracy after the last epoch | {tests[-1]['test_accuracy']:.2%}, loss" in text
    assert (f"| best test accuracy | {history.best_accuracy:.2%} after epoch {best_test['epoch']:g}, chosen by "
            f"{len(tests)} tests on the same test images |") in text
    assert "| training loss | " in text
    assert "nats in the end, on smoothed labels: no model gets below 0.500 on these, and the test loss is on" in text
    assert f"{run.state.model.num_parameters():,} parameters" in text
    assert "See it: `minimixer play`" in text
    for picture in ("curves.png", "confusion.png", "mistakes.png"):
        assert f"({picture})" in text
        assert (history.out / picture).read_bytes().startswith(b"\x89PNG")
    weights = run.state.model.state_dict()
    assert np.array_equal(again, best)
    report.logits_of_best(run)
    assert np.mean(best.argmax(1) == load_digits().test_labels) == pytest.approx(history.best_accuracy)
    for name, array in run.state.model.state_dict().items():
        assert np.array_equal(array, weights[name])


def test_resumed_after_its_best_test_the_report_is_the_same(tmp_path):
    history = fit(replace(QUICK, out=tmp_path / "run"))
    before = {name: (history.out / name).read_bytes() for name in ("confusion.png", "mistakes.png")}
    for name in before:
        (history.out / name).unlink()
    fit(replace(QUICK, out=tmp_path / "run", resume=True))          # at its end already: it only draws
    assert {name: (history.out / name).read_bytes() for name in before} == before


def test_a_run_without_mistakes_has_a_report_too(reported, tmp_path):
    fit(replace(QUICK, out=tmp_path / "run", max_steps=2))
    [(run, _, _)] = reported
    report.write(run, np.eye(10, dtype=np.float32)[run.dataset.test_labels] * 9)
    text = (tmp_path / "run" / "report.md").read_text()
    assert "No class is clearly harder or easier than the rest. (The rule: " in text


def test_the_report_names_classes_that_are_harder_and_states_the_rule():
    counts = np.diag([900, 990, 900, 999])
    counts[0, 1], counts[1, 0], counts[2, 1], counts[3, 1] = 100, 10, 100, 1
    said = report.classes_told_apart(counts, ["cat", "a*b", "dog", "ship"])
    assert said.startswith("Harder than the rest: cat (90%), dog (90%). "
                           "Easier than the rest: ship (100%), a\\*b (99%). (The rule: ")
    assert "Wilson" in said
    many = report.classes_told_apart(np.diag([100] * 20) + 100 * np.eye(40, k=20, dtype=int)[:20, :20],
                                     [str(i) for i in range(20)])
    assert many.startswith("No class")


def test_a_long_list_of_classes_is_cut_short():
    right = np.array([90] * 10 + [10] * 10)
    counts = np.diag(right)
    counts[np.arange(20), (np.arange(20) + 1) % 20] += 100 - right
    said = report.classes_told_apart(counts, [f"c{i}" for i in range(20)])
    assert "c14 (10%) and 5 more. Easier than the rest: " in said


def test_two_runs_never_share_a_folder(tmp_path):
    class Second(Callback):
        def step(self, progress, loss, correct):
            if progress.step == 2:
                with pytest.raises(RunError, match=r"another run is writing into .*run: wait for it, or choose") as e:
                    fit(replace(QUICK, out=tmp_path / "run", overwrite=True))
                assert e.value.exit_code == 1

    history = fit(replace(QUICK, out=tmp_path / "run", max_steps=4), callbacks=[Second()])
    assert history.metrics[-1]["step"] == 4


def test_a_run_that_cannot_start_leaves_no_folder(tmp_path):
    with pytest.raises(Exception, match=r"do not tile"):
        fit(replace(QUICK, out=tmp_path / "run", patch_size=3))
    assert not (tmp_path / "run").exists()


def test_a_folder_with_a_run_is_not_overwritten_by_accident(tmp_path):
    history = fit(replace(QUICK, out=tmp_path / "run", max_steps=1))
    before = {p.name: p.read_bytes() for p in history.out.iterdir()}
    with pytest.raises(RunError, match=r"is not empty: --resume goes on .*--out names another folder"):
        fit(replace(QUICK, out=history.out))
    assert {p.name: p.read_bytes() for p in history.out.iterdir()} == before
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="is a file"):
        fit(replace(QUICK, out=tmp_path / "file"))
    with pytest.raises(RunError, match="no run to resume"):
        fit(replace(QUICK, out=tmp_path / "nowhere", resume=True))
    assert not (tmp_path / "nowhere").exists()
    (tmp_path / "full" / "deep").mkdir(parents=True)
    (tmp_path / "full" / "old").write_text("")
    with pytest.raises(RunError, match=r"has no config.json, so nothing says which run to resume"):
        fit(replace(QUICK, out=tmp_path / "full", resume=True))


def test_a_folder_may_be_named_by_a_string(tmp_path):
    assert fit(replace(QUICK, max_steps=1, out=str(tmp_path / "run"))).out == tmp_path / "run"


def test_the_default_folders_are_numbered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = [str(fit(replace(QUICK, max_steps=1)).out) for _ in range(2)]
    assert folders == ["runs/digits-pico-001", "runs/digits-pico-002"]


def test_averaged_weights_are_what_is_tested_and_kept(tmp_path):
    from minimixer.train import checkpoint
    catch = Catch()
    history = fit(replace(QUICK, out=tmp_path / "run", ema=0.9), callbacks=[catch])
    state = catch.state
    last = checkpoint.read(history.out / "last.safetensors")[0]
    assert history.metrics[-1]["test_accuracy"] == history.best_accuracy        # the best weights are the last means
    best = checkpoint.read(history.out / "best.safetensors")[0]
    for (name, parameter), mean in zip(state.model.named_parameters(), state.ema.means, strict=True):
        assert np.array_equal(last[f"ema.{name}"], mean)
        assert np.array_equal(best[f"model.{name}"], mean)
        assert np.array_equal(last[f"model.{name}"], parameter.data)
        assert not np.array_equal(parameter.data, mean)


def test_the_configuration_and_the_environment_are_kept(tmp_path):
    fit(replace(QUICK, out=tmp_path / "run", max_steps=1))
    content = json.loads((tmp_path / "run" / "config.json").read_text())
    assert content["config"]["max_steps"] == 1
    assert content["environment"]["device"] == "cpu"
    assert content["environment"]["workers"] == 1
