"""What ``import minimixer`` shows."""

import minimixer as mm


def test_dir_shows_the_rooms_that_are_imported_when_first_used():
    assert {"data", "exercises", "functional", "nn", "optim", "plots", "train", "weights"} <= set(dir(mm))
    assert set(mm.__all__) <= set(dir(mm))
    assert all(hasattr(mm, name) for name in dir(mm))
