import asyncio
import threading
import time

import pytest

pytest.importorskip("ipykernel", reason="ipykernel is not installed")
nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")      # of the notebook's own machinery
def test_an_interrupted_cell_gives_its_history_and_the_kernel_lives_on(tmp_path):
    out = tmp_path / "run"
    cells = [f"""
from dataclasses import replace
from pathlib import Path
import minimixer as mm
history = mm.train.fit(replace(mm.train.PRESETS["digits"], epochs=1000, log_every=1, out=Path({str(out)!r})))
""", "print(history.interrupted, history.metrics[-1]['step'] > 2, (history.out / 'last.safetensors').exists())"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = nbclient.NotebookClient(notebook, timeout=120)

    def press_stop():
        metrics = out / "metrics.jsonl"
        while not (metrics.exists() and metrics.read_text().count("\n") > 5):
            time.sleep(0.1)
        asyncio.run(client.km.interrupt_kernel())

    threading.Thread(target=press_stop, daemon=True).start()
    client.execute()
    assert notebook.cells[1].outputs[0]["text"] == "2 True True\n"
    shown = [output for output in notebook.cells[0].outputs if output["output_type"] == "display_data"]
    assert len(shown) == 1                                              # one table that was renewed
    assert "minimixer train --resume" in shown[0]["data"]["text/html"]
