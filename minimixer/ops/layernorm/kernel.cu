// ---- LayerNorm over the last axis.  A row is read from memory once, and then twice from the cache.  A thread has about
// four of its numbers.

extern "C" __global__ void layernorm_forward(const REAL* x, const REAL* weight, const REAL* bias, REAL* y, REAL* mean,
                                             REAL* rstd, Int rows, int columns, REAL eps) {
    Int row = (Int)blockIdx.x * blockDim.y + threadIdx.y;
    bool inside = row < rows;                   // the others of the last block only keep the barriers company
    const REAL* in = x + (inside ? row : 0) * columns;
    REAL sum = 0;
    UNROLL for (int c = threadIdx.x; c < columns; c += blockDim.x) sum += in[c];
    REAL m = row_sum(sum) / columns;
    sum = 0;
    UNROLL for (int c = threadIdx.x; c < columns; c += blockDim.x) sum += (in[c] - m) * (in[c] - m);
    REAL r = 1 / sqrt(row_sum(sum) / columns + eps);
    if (!inside) return;
    UNROLL for (int c = threadIdx.x; c < columns; c += blockDim.x)
        y[row * columns + c] = (in[c] - m) * r * weight[c] + bias[c];
    if (threadIdx.x == 0) {
        mean[row] = m;
        rstd[row] = r;
    }
}

// gx, and of every block the sums over its rows that gweight and gbias are made of: partial is (blocks, 2 * columns).
// Shared memory: 2 * columns numbers for each of the blockDim.y rows; a thread alone touches those of its columns.
extern "C" __global__ void layernorm_backward(const REAL* gy, const REAL* x, const REAL* mean, const REAL* rstd,
                                              const REAL* weight, REAL* gx, REAL* partial, Int rows, int columns) {
    DYNAMIC_SHARED(sums);
    REAL* gweight = sums + threadIdx.y * 2 * columns;
    REAL* gbias = gweight + columns;
    for (int c = threadIdx.x; c < columns; c += blockDim.x) gweight[c] = gbias[c] = 0;
    for (Int first = (Int)blockIdx.x * blockDim.y; first < rows; first += (Int)gridDim.x * blockDim.y) {
        bool inside = first + threadIdx.y < rows;
        Int row = inside ? first + threadIdx.y : 0;
        REAL m = mean[row], r = rstd[row];
        REAL sum_g = 0, sum_gn = 0;
        UNROLL for (int c = threadIdx.x; c < columns; c += blockDim.x) {
            REAL g = gy[row * columns + c] * weight[c];
            sum_g += g;
            sum_gn += g * ((x[row * columns + c] - m) * r);
        }
        REAL mean_g = row_sum(sum_g) / columns;
        REAL mean_gn = row_sum(sum_gn) / columns;
        UNROLL for (int c = threadIdx.x; c < (inside ? columns : 0); c += blockDim.x) {
            REAL g = gy[row * columns + c];
            REAL n = (x[row * columns + c] - m) * r;
            gx[row * columns + c] = r * (g * weight[c] - mean_g - n * mean_gn);
            gweight[c] += g * n;
            gbias[c] += g;
        }
    }
    __syncthreads();
    for (int c = threadIdx.y * blockDim.x + threadIdx.x; c < 2 * columns; c += blockDim.x * blockDim.y) {
        REAL sum = 0;
        for (int i = 0; i < blockDim.y; i++) sum += sums[i * 2 * columns + c];
        partial[(Int)blockIdx.x * 2 * columns + c] = sum;
    }
}
