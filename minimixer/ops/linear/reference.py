from minimixer.backend import Array, Module
from minimixer.ops.op import Op


class Linear(Op):
    """y = x @ weight + bias.  x: (..., in)  weight: (in, out)  bias: (out,)  y: (..., out)."""

    @staticmethod
    def forward(xp: Module, x: Array, weight: Array, bias: Array) -> tuple[Array, tuple[Array, Array]]:
        return x @ weight + bias, (x, weight)

    @staticmethod
    def backward(xp: Module, gy: Array, x: Array, weight: Array) -> tuple[Array, Array, Array]:
        n_in, n_out = weight.shape
        rows = gy.reshape(-1, n_out)                        # (N, out)  every row shared the weight and the bias,
        gweight = x.reshape(-1, n_in).T @ rows              # (in, out)  so their gradients are sums over rows
        return gy @ weight.T, gweight, rows.sum(0)
