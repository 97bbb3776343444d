"""Draw the diagrams of the Mixer and of one training step: ``python docs/drawings.py`` writes docs/images/*.svg."""

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

IMAGES = Path(__file__).parent / "images"
INK, FAINT, ACCENT = "#222", "#888", "#005a8f"
TOKENS = ["#56B4E9", "#E69F00", "#009E73", "#CC79A7"]       # Okabe & Ito: one color per patch, S = 4
CHANNELS = [1, 0.72, 0.5, 0.85, 0.6, 0.4]                   # one shade per channel, C = 6
WIDTH, HEIGHT, CELL = 440, 222, 13


def text(x: float, y: float, words: str, size: int = 15, anchor: str = "middle", color: str = INK,
         weight: str = "normal") -> str:
    """A line of text; in ``D_S `` the S becomes a subscript."""
    words = re.sub("_(.) ", r'<tspan dy="4" font-size="11">\1</tspan><tspan dy="-4">&#160;</tspan>', words)
    return (f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" fill="{color}" '
            f'font-weight="{weight}">{words}</text>')


def arrow(*points: tuple[float, float], dashed: bool = False, color: str = INK) -> str:
    """A line through the points, with an arrowhead at the last."""
    line = " ".join(f"{x},{y}" for x, y in points)
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    return (f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="1.6"{dash} '
            f'marker-end="url(#head)"/>')


def box(x: float, y: float, w: float, h: float, *lines: str, fill: str = "#eef4f9", size: int = 15) -> str:
    """A box with centered lines of text."""
    parts = [f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="6" fill="{fill}" stroke="{INK}"/>']
    first = y + h / 2 - (len(lines) - 1) * (size + 3) / 2 + size / 3
    return "".join(parts + [text(x + w / 2, first + i * (size + 3), line, size) for i, line in enumerate(lines)])


def table(x: float, y: float, swapped: bool = False, marked: int | None = None) -> str:
    """The table of S = 4 patches and C = 6 channels, or its transpose if swapped; optionally with one row marked."""
    rows, columns = (6, 4) if swapped else (4, 6)
    parts = []
    for r in range(rows):
        for c in range(columns):
            token, channel = (c, r) if swapped else (r, c)
            parts.append(f'<rect x="{x + c * CELL}" y="{y + r * CELL}" width="{CELL}" height="{CELL}" stroke="#fff" '
                         f'fill="{TOKENS[token]}" fill-opacity="{CHANNELS[channel]}"/>')
    if marked is not None:
        parts.append(f'<rect x="{x - 1}" y="{y + marked * CELL - 1}" width="{columns * CELL + 2}" height="{CELL + 2}" '
                     f'fill="none" stroke="{INK}" stroke-width="2"/>')
    return "".join(parts)


def plus(x: float, y: float) -> str:
    """The sum at the end of a skip connection."""
    return f'<circle cx="{x}" cy="{y}" r="10" fill="#fff" stroke="{INK}"/>' + text(x, y + 6, "+", 18)


def cut() -> str:
    """An image becomes a table."""
    parts = [text(14, 24, "1. Cut the image into patches", anchor="start", weight="bold")]
    for i, color in enumerate(TOKENS):
        x, y = 22 + 52 * (i % 2), 58 + 52 * (i // 2)
        parts.append(f'<rect x="{x}" y="{y}" width="48" height="48" fill="{color}" fill-opacity=".45"/>')
    parts += ['<circle cx="50" cy="80" r="12" fill="none" stroke="#222" stroke-width="1.5"/>',
              '<polyline points="22,146 58,112 80,130 98,104 122,138" fill="none" stroke="#222" stroke-width="1.5"/>',
              text(72, 182, "H × W × 3"), text(72, 202, "patches of P × P", 14, color=FAINT)]
    for i, color in enumerate(TOKENS):
        y = 76 + i * 18
        parts.append(f'<rect x="160" y="{y}" width="66" height="12" fill="{color}" fill-opacity=".45"/>')
    parts += [arrow((128, 108), (154, 108)), text(193, 182, "flatten"),
              text(193, 202, "S × (P · P · 3)", 14, color=FAINT),
              arrow((232, 108), (318, 108)), text(274, 98, "Linear"), table(326, 82), text(365, 182, "S × C"),
              text(365, 202, "tokens, channels", 14, color=FAINT)]
    return "".join(parts)


def token_mixing() -> str:
    """Transpose, MLP, transpose back."""
    return "".join([
        text(14, 24, "2. Token mixing: along the patches", anchor="start", weight="bold"),
        arrow((51, 76), (51, 50), (378, 50), (378, 98)), text(222, 44, "skip", 14, color=FAINT),
        table(14, 82), text(53, 160, "S × C"),
        arrow((95, 108), (141, 108)), text(117, 98, "norm", 13), text(117, 182, "transpose", 14, color=ACCENT),
        arrow((117, 166), (117, 116), color=ACCENT),
        table(148, 69, swapped=True, marked=2), text(174, 166, "C × S"),
        arrow((204, 108), (225, 108)), box(229, 84, 90, 48, "MLP", "S → D_S → S", size=13),
        arrow((320, 108), (366, 108)), text(342, 182, "transpose back", 14, color=ACCENT),
        arrow((342, 166), (342, 116), color=ACCENT), plus(378, 108),
        arrow((390, 108), (408, 108)), text(424, 113, "S×C", 13),
        text(220, 210, "the same MLP for every channel", 14, color=FAINT)])


def channel_mixing() -> str:
    """MLP on every row."""
    return "".join([
        text(14, 24, "3. Channel mixing: along the channels", anchor="start", weight="bold"),
        arrow((51, 76), (51, 50), (358, 50), (358, 98)), text(205, 44, "skip", 14, color=FAINT),
        table(14, 82, marked=1), text(53, 160, "S × C"),
        arrow((97, 108), (165, 108)), text(130, 98, "norm", 13),
        box(172, 84, 118, 48, "MLP", "C → D_C → C", size=13),
        arrow((294, 108), (346, 108)), plus(358, 108), arrow((370, 108), (394, 108)), text(414, 113, "S×C", 13),
        text(220, 210, "the same MLP for every patch", 14, color=FAINT)])


def answer() -> str:
    """Steps 2 and 3 repeated, then the classes."""
    bars = [26, 12, 52, 18, 8]
    drawn = "".join(f'<rect x="{368 + 13 * i}" y="{134 - h}" width="9" height="{h}" '
                    f'fill="{ACCENT if h == max(bars) else "#b8c7d3"}"/>' for i, h in enumerate(bars))
    row = "".join(f'<rect x="{238 + i * CELL}" y="102" width="{CELL}" height="{CELL}" stroke="#fff" fill="#555" '
                  f'fill-opacity="{a}"/>' for i, a in enumerate(CHANNELS))
    return "".join([
        text(14, 24, "4. Repeat 2 and 3, then classify", anchor="start", weight="bold"),
        box(14, 78, 60, 60, "2 + 3", fill="#fff"), arrow((64, 76), (64, 56), (24, 56), (24, 74)),
        text(44, 160, "all blocks"), arrow((78, 108), (96, 108)), table(102, 82), text(141, 160, "S × C"),
        arrow((184, 108), (232, 108)), text(208, 98, "norm", 13),
        text(208, 182, "mean over the patches", 14, color=ACCENT),
        arrow((208, 166), (208, 116), color=ACCENT), row, text(277, 160, "C"),
        arrow((320, 108), (362, 108)), text(340, 98, "Linear", 13), drawn, text(398, 160, "classes")])


def page(width: int, height: int, body: str, title: str) -> str:
    """A complete SVG file."""
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'font-family="Helvetica, Arial, sans-serif"><title>{title}</title><defs><marker id="head" '
            'viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path '
            f'd="M0,0 L8,4 L0,8 z" fill="{INK}"/></marker></defs><rect width="100%" height="100%" fill="#fff"/>'
            f"{body}</svg>\n").replace("><", ">\n<")


def grid(panels: Sequence[Callable[[], str]], columns: int) -> str:
    """Panels side by side."""
    placed = [f'<g transform="translate({WIDTH * (i % columns)},{HEIGHT * (i // columns)})">{panel()}</g>'
              for i, panel in enumerate(panels)]
    return page(WIDTH * columns, HEIGHT * (len(panels) // columns), "".join(placed), "MLP-Mixer")


FORWARD = [
    ("images, augmented at random", "(B, H, W, 3) uint8", "data/batches.py"),
    ("normalize", "(B, H, W, 3) float32", "data/batches.py"),
    ("patches", "(B, S, P · P · 3)", "ops/patches.py"),
    ("stem, a Linear", "(B, S, C)", "nn/mixer.py"),
    ("N Mixer blocks", "(B, S, C)", "nn/mixer.py"),
    ("LayerNorm, mean over S", "(B, C)", "nn/mixer.py"),
    ("head, a Linear", "(B, K)", "nn/mixer.py"),
    ("cross-entropy, with the labels", "()", "ops/cross_entropy/"),
]
BACKWARD = [
    ("one AdamW update", "the parameters change", "optim/adamw/"),
    ("clip by global norm", "one factor for all", "optim/clip/"),
    ("sum the shards, in fixed order", "one gradient per parameter", "parallel/step.py"),
    ("gradients of the stem", "weight (P · P · 3, C), bias (C,)", "ops/linear.py"),
    ("backward of the blocks", "gx (B, S, C), 12 arrays per block", "autograd.py"),
    ("backward of mean and norm", "gx (B, S, C)", "autograd.py"),
    ("backward of the head", "gx (B, C), weight (C, K)", "ops/linear.py"),
    ("probabilities − targets", "gx (B, K)", "ops/cross_entropy/"),
]


def training_step() -> str:
    """The data flows down, the gradients flow up."""
    pitch, height = 84, 60
    middle = [60 + pitch * i + height / 2 for i in range(len(FORWARD))]
    parts = [text(150, 36, "forward", 17, weight="bold"), text(470, 36, "backward", 17, weight="bold"),
             f'<rect x="8" y="{60 + pitch - 14}" width="292" height="{pitch * 7 + 4}" rx="10" fill="#f6f6f2"/>',
             f'<rect x="299" y="{60 + 3 * pitch - 14}" width="313" height="{pitch * 5 + 4}" rx="10" fill="#f6f6f2"/>',
             text(18, 60 + pitch * 8 + 6, "gray: one shard of the batch, on one thread; B is the size of the shard", 14,
                  anchor="start", color=FAINT)]
    for x, column, fill in ((20, FORWARD, "#e3f0f8"), (340, BACKWARD, "#fdf1dc")):
        for m, (what, shape, where) in zip(middle, column, strict=True):
            parts.append(box(x, m - height / 2, 260, height, "", fill=fill))
            parts += [text(x + 130, m - 12, what, 15, weight="bold"), text(x + 130, m + 6, shape, 14),
                      text(x + 130, m + 22, where, 12, color=FAINT)]
    for above, below in pairwise(middle):
        parts += [arrow((150, above + height / 2), (150, below - height / 2 - 2)),
                  arrow((470, below - height / 2), (470, above + height / 2 + 2))]
    for m in middle[3:7]:
        parts.append(arrow((280, m), (337, m), dashed=True, color=FAINT))
    parts += [arrow((280, middle[7]), (337, middle[7])), text(310, middle[4] - 8, "saved", 12, color=FAINT)]
    return page(620, int(60 + pitch * 8 + 20), "".join(parts), "One training step")


def drawings() -> dict[str, str]:
    """Every file name with its content."""
    panels = [cut, token_mixing, channel_mixing, answer]
    return {"mixer.svg": grid(panels, 2), "mixer-narrow.svg": grid(panels, 1), "training-step.svg": training_step()}


if __name__ == "__main__":
    for name, svg in drawings().items():
        (IMAGES / name).write_text(svg)
