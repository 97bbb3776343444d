"""Ten pictures of shapes, one per class of CIFAR-10, for where its photographs are not at hand."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from minimixer.backend import Array

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

CANVAS = 256            # pixels; the coordinates below are of this canvas
SKY, SEA, GRASS, ROAD, SAND = (("#5b9bd8", "#cfe4f5"), ("#9cc4e4", "#1d4f7c"), ("#b9d7ea", "#3f7a35"),
                               ("#c9d3da", "#6f7072"), ("#e3d6bd", "#a98f66"))


def _airplane(draw: "ImageDraw") -> None:
    draw.polygon([(20, 118), (200, 104), (236, 116), (200, 134), (24, 132)], "#e9edf0")
    draw.polygon([(110, 120), (70, 196), (98, 196), (156, 122)], "#aeb6bd")
    draw.polygon([(118, 110), (96, 62), (114, 62), (152, 108)], "#c3cad0")
    draw.polygon([(22, 120), (10, 70), (34, 70), (58, 116)], "#2d5f9a")


def _automobile(draw: "ImageDraw") -> None:
    draw.polygon([(18, 176), (18, 134), (66, 124), (98, 86), (176, 86), (206, 126), (240, 136), (240, 176)], "#b3201f")
    draw.polygon([(84, 122), (104, 96), (136, 96), (136, 122)], "#bcd2de")
    draw.polygon([(146, 122), (146, 96), (170, 96), (190, 122)], "#bcd2de")
    for x in (72, 190):
        draw.ellipse((x - 26, 150, x + 26, 202), "#1a1a1a")
        draw.ellipse((x - 12, 164, x + 12, 188), "#b8b8b8")


def _bird(draw: "ImageDraw") -> None:
    draw.ellipse((74, 92, 190, 176), "#8a5a33")
    draw.ellipse((160, 58, 216, 114), "#7a4c28")
    draw.polygon([(212, 80), (244, 90), (212, 98)], "#e8a33a")
    draw.polygon([(90, 120), (14, 96), (22, 132), (86, 150)], "#5b3a20")
    draw.polygon([(100, 108), (150, 112), (120, 162)], "#5b3a20")
    draw.ellipse((188, 76, 198, 86), "#101010")
    for x in (124, 144):
        draw.line((x, 172, x, 216), "#c98a2e", 6)


def _cat(draw: "ImageDraw") -> None:
    draw.ellipse((52, 70, 204, 226), "#8b8378")
    draw.polygon([(60, 120), (56, 24), (118, 78)], "#8b8378")
    draw.polygon([(196, 120), (200, 24), (138, 78)], "#8b8378")
    draw.polygon([(70, 92), (68, 48), (100, 78)], "#d8a9a0")
    draw.polygon([(186, 92), (188, 48), (156, 78)], "#d8a9a0")
    for x in (98, 158):
        draw.ellipse((x - 18, 118, x + 18, 150), "#b9c94a")
        draw.ellipse((x - 5, 118, x + 5, 150), "#0d0d0d")
    draw.polygon([(118, 166), (138, 166), (128, 178)], "#c77b74")
    draw.ellipse((100, 176, 156, 206), "#d6d0c6")
    for y in (88, 100, 112):
        draw.line((112, y, 144, y), "#5a544c", 5)


def _deer(draw: "ImageDraw") -> None:
    draw.ellipse((54, 104, 184, 166), "#94673c")
    draw.polygon([(156, 124), (176, 60), (206, 66), (190, 136)], "#94673c")
    draw.polygon([(172, 52), (232, 74), (226, 90), (176, 84)], "#a3744a")
    for x in (70, 92, 150, 170):
        draw.line((x, 156, x, 236), "#7a5230", 11)
    for start, ends in (((186, 56), ((166, 8), (196, 14))), ((196, 56), ((218, 8), (240, 20)))):
        for end in ends:
            draw.line((*start, *end), "#5c4024", 6)


def _dog(draw: "ImageDraw") -> None:
    draw.ellipse((62, 46, 194, 206), "#c39a5f")
    draw.ellipse((28, 58, 88, 178), "#7c5528")
    draw.ellipse((168, 58, 228, 178), "#7c5528")
    draw.ellipse((88, 128, 168, 224), "#e8d3ab")
    draw.ellipse((110, 138, 146, 164), "#141414")
    for x in (100, 156):
        draw.ellipse((x - 11, 96, x + 11, 118), "#1c1208")
    draw.ellipse((114, 190, 142, 222), "#cf6f74")


def _frog(draw: "ImageDraw") -> None:
    draw.ellipse((38, 92, 218, 214), "#5f8a2c")
    draw.ellipse((12, 160, 92, 232), "#4c7322")
    draw.ellipse((164, 160, 244, 232), "#4c7322")
    for x in (86, 170):
        draw.ellipse((x - 30, 56, x + 30, 116), "#6d9a36")
        draw.ellipse((x - 15, 68, x + 15, 100), "#e2c746")
        draw.ellipse((x - 6, 72, x + 6, 98), "#101010")
    draw.arc((74, 110, 182, 178), 20, 160, "#2d4713", 7)
    draw.ellipse((92, 176, 164, 214), "#c9cf8a")


def _horse(draw: "ImageDraw") -> None:
    draw.ellipse((40, 96, 182, 168), "#5d3319")
    draw.polygon([(150, 130), (186, 40), (214, 50), (188, 146)], "#5d3319")
    draw.polygon([(184, 34), (242, 82), (226, 102), (180, 76)], "#6a3c1f")
    draw.polygon([(186, 34), (150, 100), (142, 96), (172, 30)], "#1f120a")
    draw.polygon([(46, 110), (12, 130), (18, 190), (36, 140)], "#1f120a")
    for x in (58, 84, 146, 170):
        draw.line((x, 154, x, 238), "#4b2913", 15)


def _ship(draw: "ImageDraw") -> None:
    draw.polygon([(16, 150), (240, 150), (208, 200), (44, 200)], "#2c3540")
    draw.rectangle((24, 182, 226, 200), "#9c2b28")
    draw.rectangle((72, 112, 182, 150), "#f2f2ee")
    draw.rectangle((92, 84, 160, 112), "#e6e6e0")
    draw.rectangle((112, 48, 136, 84), "#c8432f")
    for x in range(82, 180, 20):
        draw.ellipse((x, 124, x + 9, 133), "#3d5468")


def _truck(draw: "ImageDraw") -> None:
    draw.rectangle((12, 58, 160, 178), "#e8e4da")
    draw.polygon([(166, 178), (166, 92), (212, 92), (240, 132), (240, 178)], "#2a5ca8")
    draw.polygon([(178, 132), (178, 104), (206, 104), (224, 132)], "#c3d8e4")
    draw.rectangle((12, 172, 240, 186), "#2b2b2b")
    for x in (52, 104, 200):
        draw.ellipse((x - 23, 164, x + 23, 210), "#161616")
        draw.ellipse((x - 9, 178, x + 9, 196), "#a8a8a8")


# The class, what draws it, and the colors behind it, from top to bottom.
PICTURES: dict[str, tuple[Callable[["ImageDraw"], None], tuple[str, str]]] = {
    "airplane": (_airplane, SKY), "automobile": (_automobile, ROAD), "bird": (_bird, GRASS), "cat": (_cat, SAND),
    "deer": (_deer, GRASS), "dog": (_dog, SAND), "frog": (_frog, GRASS), "horse": (_horse, GRASS),
    "ship": (_ship, SEA), "truck": (_truck, ROAD)}


def drawn(class_names: Sequence[str], side: int) -> tuple[Array, Array] | None:
    """Pictures (N, side, side, 3) of uint8 and their classes (N,); None unless all classes of CIFAR-10 are known."""
    from PIL import Image, ImageDraw

    if not set(PICTURES) <= set(class_names):
        return None
    pictures = []
    for paint, (top, bottom) in PICTURES.values():
        ramp = Image.linear_gradient("L").resize((CANVAS, CANVAS))
        picture = Image.composite(Image.new("RGB", ramp.size, bottom), Image.new("RGB", ramp.size, top), ramp)
        paint(ImageDraw.Draw(picture))
        pictures.append(np.asarray(picture.resize((side, side), Image.Resampling.BOX)))         # (side, side, 3)
    return np.stack(pictures), np.array([class_names.index(name) for name in PICTURES])
