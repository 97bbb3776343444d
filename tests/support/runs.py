"""Runs that tests of several rooms look at."""

from dataclasses import replace

import pytest

from minimixer.train import PRESETS, fit


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory):
    """The folder of a finished run on the digits with fairly good weights; tests must not change it."""
    out = tmp_path_factory.mktemp("trained") / "digits"
    fit(replace(PRESETS["digits"], max_steps=66, workers=1, out=out))
    return out
