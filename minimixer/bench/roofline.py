"""The fastest matrix products that the machine's cores can reach together."""

import threading
import time

import numpy as np


class Roofline:
    """Every thread multiplies matrices that fit into its core's cache."""

    def __init__(self, threads: int):
        from threadpoolctl import threadpool_limits
        self.limits = threadpool_limits(1, user_api="blas")
        rng = np.random.default_rng(0)
        self.operands = [(rng.random((1024, 128), np.float32), rng.random((128, 512), np.float32),
                          np.empty((1024, 512), np.float32)) for _ in range(threads)]

    def block(self, seconds: float = 0.3) -> float:
        """GFLOP/s of all threads together."""
        rates: list[float] = []
        barrier = threading.Barrier(len(self.operands))

        def multiply(a: np.ndarray, b: np.ndarray, y: np.ndarray) -> None:
            np.matmul(a, b, out=y)
            barrier.wait()
            start, count = time.perf_counter(), 0
            while time.perf_counter() < start + seconds:
                np.matmul(a, b, out=y)
                count += 1
            rates.append(2e-9 * count * y.size * a.shape[1] / (time.perf_counter() - start))

        threads = [threading.Thread(target=multiply, args=arrays) for arrays in self.operands]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(rates)
