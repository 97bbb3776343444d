// ---- All parameters at once.  Block b works on chunk number[b], of `chunk` elements, of array owner[b].

extern "C" __global__ void sums_of_squares(const Address* arrays, const Int* sizes, const int* owner, const int* number,
                                           int chunk, REAL* partial) {
    const REAL* in = (const REAL*)arrays[owner[blockIdx.x]];
    Int start = (Int)number[blockIdx.x] * chunk, size = sizes[owner[blockIdx.x]];
    Int end = start + chunk < size ? start + chunk : size;
    REAL sum = 0;
    for (Int i = start + threadIdx.x; i < end; i += blockDim.x) sum += in[i] * in[i];
    sum = row_sum(sum);
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

// result: the norm, and the factor that makes it at most max_norm.  One block.
extern "C" __global__ void norm_and_factor(const REAL* partial, int count, REAL max_norm, REAL* result) {
    REAL sum = 0;
    for (int i = threadIdx.x; i < count; i += blockDim.x) sum += partial[i];
    REAL norm = sqrt(row_sum(sum));
    if (threadIdx.x > 0) return;
    REAL factor = max_norm / (norm + REAL(1e-6));
    result[0] = norm;
    result[1] = factor > 1 ? 1 : factor;        // NaN stays NaN
}
