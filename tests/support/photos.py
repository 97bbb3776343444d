"""A folder of synthetic photographs: three classes of shapes on noise, in mixed sizes, modes and formats."""

import numpy as np
from PIL import Image, ImageDraw

CLASSES = ("circles", "squares", "stripes")


def draw(kind, rng, darkest=150):
    """One picture of a class; a color picture of 40..120 pixels a side."""
    width, height = (int(n) for n in rng.integers(40, 120, 2))
    image = Image.fromarray(rng.integers(0, 90, (height, width, 3), dtype=np.uint8))
    pen, side = ImageDraw.Draw(image), min(width, height) * rng.uniform(0.5, 0.8)
    x, y, color = width / 2, height / 2, tuple(int(n) for n in rng.integers(darkest, 256, 3))
    box = (x - side / 2, y - side / 2, x + side / 2, y + side / 2)
    if kind == "circles":
        pen.ellipse(box, outline=color, width=max(2, int(side / 6)))
    elif kind == "squares":
        pen.rectangle(box, fill=color)
    else:
        for i in range(5):
            pen.rectangle((box[0], box[1] + i * side / 5, box[2], box[1] + (i + 0.5) * side / 5), fill=color)
    return image


def make_photos(root, per_class=30, seed=0):
    """Write ROOT/CLASS/NUMBER.{jpg,png,webp}: also gray, with alpha, turned by EXIF, and animated ones."""
    rng = np.random.default_rng(seed)
    for kind in CLASSES:
        folder = root / kind
        folder.mkdir(parents=True)
        for i in range(per_class):
            image = draw(kind, rng)
            if i % 6 == 1:
                image = image.convert("L")
            if i % 6 == 2:
                image.convert("RGBA").save(folder / f"{i}.png")
            elif i % 6 == 3:
                exif = Image.Exif()
                exif[0x0112] = 3                        # upside down
                image.save(folder / f"{i}.jpg", exif=exif)
            elif i % 6 == 4:
                image.save(folder / f"{i}.gif", save_all=True, append_images=[image.rotate(90)])
            else:
                image.save(folder / f"{i}.{'jpg' if i % 2 else 'png'}")
    return root
