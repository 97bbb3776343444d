from tests.support.runs import trained_run  # noqa: F401  a fixture
