"""Weights as small images: their frequencies, opposite units, and mosaics."""

from typing import TYPE_CHECKING, Any

import numpy as np

from minimixer.plots import BLUE, RED

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def mean_frequency(maps: np.ndarray) -> np.ndarray:
    """Mean spatial frequency of maps, weighted by power, without the constant part.

    Parameters
    ----------
    maps : array, shape (N, H, W) or (N, H, W, channels)

    Returns
    -------
    array, shape (N,)
        Cycles per pixel, at most sqrt(0.5); the power is summed over channels.  0 for a constant map.
    """
    maps = maps.reshape(*maps.shape[:3], -1)                                            # (N, H, W, channels)
    power = (np.abs(np.fft.fft2(maps, axes=(1, 2))) ** 2).sum(-1)                       # (N, H, W)
    power[:, 0, 0] = 0
    rows, columns = (np.fft.fftfreq(n) for n in maps.shape[1:3])
    frequency = np.hypot(rows[:, None], columns)                                        # (H, W)
    total = power.sum((1, 2))                                                           # (N,)
    return np.divide((power * frequency).sum((1, 2)), total, out=np.zeros(len(maps)), where=total > 0)


def opposite_pairs(maps: np.ndarray) -> list[tuple[int, int, float]]:
    """Pair each map with its opposite, greedily: the two with the lowest correlation first, then the next two.

    Parameters
    ----------
    maps : array, shape (N, ...)

    Returns
    -------
    list of (int, int, float)
        Indices of two maps and their correlation, -1..1.  With an odd number of maps, one is left over.
    """
    flat = maps.reshape(len(maps), -1)
    flat = flat - flat.mean(1, keepdims=True)
    flat = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
    correlation = flat @ flat.T                                                         # (N, N)
    correlation[np.tril_indices(len(maps))] = np.inf                                    # each pair once
    pairs = []
    for _ in range(len(maps) // 2):
        i, j = map(int, np.unravel_index(correlation.argmin(), correlation.shape))
        pairs.append((i, j, float(correlation[i, j])))
        correlation[[i, j]] = np.inf
        correlation[:, [i, j]] = np.inf
    return pairs


def evenly(items: np.ndarray, count: int) -> np.ndarray:
    """At most ``count`` items, evenly spaced from first to last.  items: (N, ...) -> (n, ...)."""
    places = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)
    return items[np.unique(places)]


def mosaic(axes: "Axes", tiles: Any, columns: int, title: str = "", together: int = 1) -> None:
    """Draw maps in a grid, each on its own scale.

    Parameters
    ----------
    axes : matplotlib Axes
    tiles : array, shape (N, H, W), (N, H, W, 1) or (N, H, W, 3)
        Three channels are colors, and gray is zero; single channels run from blue (negative) over white to red.
    columns : int
    title : str
    together : int
        Number of rows that belong together, followed by a wider gap.
    """
    from matplotlib.colors import LinearSegmentedColormap

    maps = np.asarray(tiles, float)
    maps = maps.reshape(*maps.shape[:3], -1)                                            # (N, H, W, channels)
    n, h, w, channels = maps.shape
    largest = np.abs(maps).reshape(n, -1).max(1)[:, None, None, None]
    maps = 0.5 + 0.5 * maps / np.where(largest > 0, largest, 1)                         # 0.5 is zero
    scale = LinearSegmentedColormap.from_list("blue-red", [BLUE, "#FFFFFF", RED])
    colors = maps if channels == 3 else scale(maps[..., 0])[..., :3]                   # (N, H, W, 3)
    zoom = -(-24 // h)                      # pixels per weight, so that frames can be thinner than a weight
    colors = colors.repeat(zoom, 1).repeat(zoom, 2)
    h, w, rows = h * zoom, w * zoom, -(-n // columns)
    tops = [r * (h + 4) + r // together * 8 * (together > 1) for r in range(rows)]
    sheet = np.ones((tops[-1] + h + 2, columns * (w + 4) - 2, 3))
    for i, tile in enumerate(colors):
        top, left = tops[i // columns], i % columns * (w + 4)
        sheet[top:top + h + 2, left:left + w + 2] = 0.6                                 # the frame
        sheet[top + 1:top + 1 + h, left + 1:left + 1 + w] = tile
    axes.imshow(sheet, interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(title, fontsize=10)
