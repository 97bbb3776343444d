"""Fifteen corruptions of images, of our own making: noise, blur, light, and what cameras and files do.

Each is a pure function of images, a severity from 1 to 5 and a random generator.  They are in the spirit of ImageNet-C
(Hendrycks & Dietterich 2019, arXiv 1903.12261), but neither its functions nor its severities, so numbers cannot be
compared with published ones.
"""

import io
from collections.abc import Callable

import numpy as np

from minimixer.errors import UsageError

SEVERITIES = (1, 2, 3, 4, 5)
Corruption = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]


def corrupt(images: np.ndarray, name: str, severity: int, seed: int = 0) -> np.ndarray:
    """Corrupt images.

    Parameters
    ----------
    images : array of uint8, shape (B, H, W, channels)
    name : str
        A key of ``CORRUPTIONS``.
    severity : int
        1 to 5.
    seed : int
        Of the noise; the same for the same images, name and severity.

    Returns
    -------
    array of uint8, shape (B, H, W, channels)

    Raises
    ------
    UsageError
        If there is no such corruption or severity.
    """
    if name not in CORRUPTIONS:
        raise UsageError(f"there is no corruption {name!r}: expected one of {', '.join(CORRUPTIONS)}")
    if severity not in SEVERITIES:
        raise UsageError(f"the severity is {severity}: expected a whole number from 1 to 5")
    rng = np.random.default_rng((seed, list(CORRUPTIONS).index(name), severity))
    return to_pixels(CORRUPTIONS[name](images.astype(np.float32) / 255, severity, rng))


def to_pixels(x: np.ndarray) -> np.ndarray:
    """Numbers on the 0..1 scale as pixels, cut off at black and white.  (B, H, W, channels) -> the same, uint8."""
    return (255 * x).round().clip(0, 255).astype(np.uint8)


def gaussian_noise(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Add normal noise; its standard deviation is 0.03 per severity."""
    return x + 0.03 * severity * rng.standard_normal(x.shape, np.float32)


def shot_noise(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Count photons: 240 of them are white at severity 1, 48 at severity 5."""
    photons = 240 / severity
    return rng.poisson(x * photons).astype(np.float32) / photons


def impulse_noise(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Make 2 % of the pixels per severity black or white."""
    drawn = rng.random((*x.shape[:3], 1), np.float32)
    share = 0.02 * severity
    return np.where(drawn < share / 2, 0, np.where(drawn < share, 1, x)).astype(np.float32)


def filtered(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Every image convolved with one kernel of odd sides; edges are repeated.  x: (B, H, W, channels) -> the same."""
    kh, kw = kernel.shape
    _, h, w, _ = x.shape
    padded = np.pad(x, ((0, 0), (kh // 2, kh // 2), (kw // 2, kw // 2), (0, 0)), mode="edge")
    total = np.zeros_like(x)
    for row, column in zip(*np.nonzero(kernel), strict=True):
        total += np.float32(kernel[row, column]) * padded[:, row:row + h, column:column + w]
    return total / np.float32(kernel.sum())


def around(radius: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of a kernel, counted from its middle, each of shape (2 * radius + 1, 2 * radius + 1)."""
    rows, columns = np.mgrid[-radius:radius + 1, -radius:radius + 1]
    return rows, columns


def gaussian_blur(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Blur by a Gaussian; its standard deviation is 0.3 pixels per severity."""
    rows, columns = around(5)
    return filtered(x, np.exp(-(rows**2 + columns**2) / (2 * (0.3 * severity) ** 2)))


def defocus(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Blur by a disk with a soft edge; its radius is 0.3 pixels, and 0.5 more per severity."""
    rows, columns = around(4)
    return filtered(x, (0.5 * severity + 0.8 - np.hypot(rows, columns)).clip(0, 1))


def motion_blur(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Blur along a row over 1 + 2 * severity pixels, fading to one side."""
    length = 1 + 2 * severity
    return filtered(x, np.linspace(1, 0.2, length)[None])


def fog(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Mix in 14 % per severity of white with slow waves."""
    b, h, w, _ = x.shape
    rows, columns = np.mgrid[0:h, 0:w] / max(h, w)
    direction = rng.uniform(0, 2 * np.pi, (b, 1, 1))
    waves = np.sin(2 * np.pi * 1.5 * (rows * np.sin(direction) + columns * np.cos(direction))
                   + rng.uniform(0, 2 * np.pi, (b, 1, 1)))                              # (B, H, W)
    share = (0.14 * severity * (1 + 0.3 * waves))[..., None].clip(0, 1).astype(np.float32)
    return (1 - share) * x + share


def brightness(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Add 0.1 per severity to all pixels."""
    return x + np.float32(0.1 * severity)


def darkness(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Multiply all pixels by 1 - 0.16 per severity."""
    return x * np.float32(1 - 0.16 * severity)


def contrast(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Bring all pixels 17 % per severity closer to the mean of their image."""
    middle = x.mean((1, 2, 3), keepdims=True)
    return middle + np.float32(1 - 0.17 * severity) * (x - middle)


def grayness(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Bring all colors 20 % per severity closer to gray; images of one channel stay as they are."""
    gray = x.mean(3, keepdims=True)
    return gray + np.float32(1 - 0.2 * severity) * (x - gray)


def pixelate(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Show the image in fewer pixels, the means of what they cover: 0.9, 0.75, 0.6, 0.5 or 0.4 of them per side."""
    _, h, w, _ = x.shape
    scale = (0.9, 0.75, 0.6, 0.5, 0.4)[severity - 1]

    def coarse(side: int) -> np.ndarray:            # (side, side)  from old pixels to those of a coarse grid
        small = max(1, round(scale * side))
        ends, pixels = np.arange(small + 1) * side / small, np.arange(side)
        covered = (np.minimum(ends[1:, None], pixels + 1) - np.maximum(ends[:-1, None], pixels)).clip(0)
        return (covered / covered.sum(1, keepdims=True))[((pixels + 0.5) * small / side).astype(int)]

    return np.einsum("yr,bruc,xu->byxc", coarse(h), x, coarse(w), optimize=True).astype(np.float32)


def jpeg(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Save and read as JPEG with a quality of 60, 40, 25, 15 or 8."""
    from PIL import Image
    quality = (60, 40, 25, 15, 8)[severity - 1]
    found = np.empty_like(x)
    for i, pixels in enumerate(to_pixels(x)):
        file = io.BytesIO()
        image = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
        Image.fromarray(image).save(file, "JPEG", quality=quality)
        found[i] = np.asarray(Image.open(file), np.float32).reshape(pixels.shape) / 255
    return found


def occlude(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Cover a square, whose side is a tenth of the image's per severity, with gray."""
    b, h, w, _ = x.shape
    side = max(1, round(0.1 * severity * min(h, w)))
    tops, lefts = rng.integers(0, h - side + 1, b), rng.integers(0, w - side + 1, b)
    rows = (np.arange(h) >= tops[:, None]) & (np.arange(h) < tops[:, None] + side)          # (B, H)
    columns = (np.arange(w) >= lefts[:, None]) & (np.arange(w) < lefts[:, None] + side)     # (B, W)
    return np.where((rows[:, :, None] & columns[:, None])[..., None], np.float32(0.5), x)


def rotate(x: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Turn by 7 degrees per severity, to either side, around the middle; edges are repeated."""
    b, h, w, _ = x.shape
    angle = np.deg2rad(7 * severity) * rng.choice([-1, 1], (b, 1, 1))
    rows, columns = np.mgrid[0:h, 0:w]
    rows, columns = rows - (h - 1) / 2, columns - (w - 1) / 2
    source_rows = np.cos(angle) * rows - np.sin(angle) * columns + (h - 1) / 2             # (B, H, W)
    source_columns = np.sin(angle) * rows + np.cos(angle) * columns + (w - 1) / 2
    return x[np.arange(b)[:, None, None], source_rows.round().astype(int).clip(0, h - 1),
             source_columns.round().astype(int).clip(0, w - 1)]


CORRUPTIONS: dict[str, Corruption] = {
    "Gaussian noise": gaussian_noise, "shot noise": shot_noise, "impulse noise": impulse_noise,
    "Gaussian blur": gaussian_blur, "defocus": defocus, "motion blur": motion_blur, "fog": fog,
    "brightness": brightness, "darkness": darkness, "contrast": contrast, "grayness": grayness,
    "pixelate": pixelate, "JPEG": jpeg, "rotation": rotate, "occlusion": occlude}
