import pytest

import minimixer as mm
from tests.support.runs import trained_run  # noqa: F401  a fixture


@pytest.fixture(scope="module")
def no_pictures():
    """The pictures of a report take longer than short runs; test_report.py looks at them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("curves", "confusion", "image_grid"):
            patch.setattr(mm.plots, name, lambda *_: None)
        yield
