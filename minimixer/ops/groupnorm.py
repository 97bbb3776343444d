from minimixer.backend import Array, Module
from minimixer.ops.op import Op


class GroupNorm(Op):
    """y = (x - mean) / sqrt(variance + eps) * weight + bias; mean and variance are those of a group of channels.

    x, y: (B, H, W, C)  weight, bias: (C,).  Every image has its own, over all pixels and the C / groups channels of a
    group (Wu & He 2018, arXiv 1803.08494).
    """

    @staticmethod
    def forward(xp: Module, x: Array, weight: Array, bias: Array, groups: int,
                eps: float) -> tuple[Array, tuple[Array | int, ...]]:
        centered = x - group_mean(x, groups)                             # (B, H, W, C)
        rstd = 1 / xp.sqrt(group_mean(centered * centered, groups) + eps)         # (B, 1, 1, C)
        normalized = centered * rstd                                     # (B, H, W, C)
        return normalized * weight + bias, (normalized, rstd, weight, groups)

    @staticmethod
    def backward(xp: Module, gy: Array, normalized: Array, rstd: Array, weight: Array,
                 groups: int) -> tuple[Array, ...]:
        g = gy * weight                                                 # (B, H, W, C)  gradient of `normalized`
        gx = rstd * (g - group_mean(g, groups) - normalized * group_mean(g * normalized, groups))
        return gx, (gy * normalized).sum((0, 1, 2)), gy.sum((0, 1, 2))


def group_mean(x: Array, groups: int) -> Array:
    """The mean of every group, once for each of its channels: (B, H, W, C) -> (B, 1, 1, C)."""
    b, _, _, c = x.shape
    of_channels = x.mean((1, 2))                                        # (B, C)
    of_groups = of_channels.reshape(b, groups, c // groups).mean(-1)     # (B, groups)
    return of_groups.repeat(c // groups, axis=1)[:, None, None]         # (B, 1, 1, C)
