import numpy as np
import pytest

from minimixer import plots


@pytest.mark.parametrize("title", ["", "what they show"])
def test_a_grid_shows_every_picture_in_reading_order(tmp_path, title):
    from matplotlib.image import imread
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 255, 255]], np.uint8)
    images = np.broadcast_to(colours[:, None, None], (5, 6, 6, 3))
    plots.picture_grid(images, list("abcde"), tmp_path / "grid.png", title, columns=3)
    drawn = np.rint(255 * imread(tmp_path / "grid.png")[..., :3])
    centres = [np.argwhere((drawn == colour).all(-1)).mean(0) for colour in colours]
    rows, columns = np.array(centres).T
    assert rows[0] == pytest.approx(rows[1]) == pytest.approx(rows[2])
    assert rows[3] == pytest.approx(rows[4])
    assert rows[0] < rows[3]
    assert columns[0] == pytest.approx(columns[3])
    assert columns[1] == pytest.approx(columns[4])
    assert columns[0] < columns[1] < columns[2]


def test_pictures_of_one_channel_are_grey_from_black_to_white(tmp_path):
    from matplotlib.image import imread
    images = np.stack([np.full((4, 4, 1), level, np.uint8) for level in (0, 128)])
    plots.picture_grid(images, ["black", "grey"], tmp_path / "grid.png")
    drawn = np.rint(255 * imread(tmp_path / "grid.png")[..., :3])
    assert {(0, 0, 0), (128, 128, 128)} <= set(map(tuple, drawn.reshape(-1, 3)))
