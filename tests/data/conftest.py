import pytest


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """No usual place of this machine is ever looked into."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MINIMIXER_DATA", raising=False)
    monkeypatch.setenv("MINIMIXER_CACHE", str(tmp_path / "cache"))
