// The fused kernels of kernels/cuda.py.  REAL is float or double: the file is compiled once for each.
//
// Every sum is added up in an order that the launch fixes, without atomics: equal inputs give equal bits.
// Where rows are summed, a block is blockDim.y rows of blockDim.x threads, blockDim.x a multiple of 32 (a warp).

#ifndef DYNAMIC_SHARED
#define DYNAMIC_SHARED(name) extern __shared__ REAL name[]
#endif

// Lets the compiler start the loads of four rounds at once; the order of the sum stays.
#define UNROLL _Pragma("unroll 4")

typedef long long Int;
typedef unsigned long long Address;

// Sum of `value` over threadIdx.x; every thread of the block must call it, and all of a row get the same bits.
__device__ REAL row_sum(REAL value) {
    __shared__ REAL of_warp[32];
    for (int offset = 16; offset > 0; offset /= 2)
        value += __shfl_xor_sync(0xffffffffu, value, offset);
    int warps = blockDim.x / 32;
    if (warps == 1) return value;
    REAL* mine = of_warp + threadIdx.y * warps;
    __syncthreads();                            // everyone has read the sums of the last call
    if (threadIdx.x % 32 == 0) mine[threadIdx.x / 32] = value;
    __syncthreads();
    value = 0;
    for (int i = 0; i < warps; i++) value += mine[i];
    return value;
}

// Largest `value` over threadIdx.x, likewise.
__device__ REAL row_max(REAL value) {
    __shared__ REAL of_warp[32];
    for (int offset = 16; offset > 0; offset /= 2) {
        REAL other = __shfl_xor_sync(0xffffffffu, value, offset);
        value = other > value ? other : value;
    }
    int warps = blockDim.x / 32;
    if (warps == 1) return value;
    REAL* mine = of_warp + threadIdx.y * warps;
    __syncthreads();
    if (threadIdx.x % 32 == 0) mine[threadIdx.x / 32] = value;
    __syncthreads();
    value = mine[0];
    for (int i = 1; i < warps; i++) value = mine[i] > value ? mine[i] : value;
    return value;
}

// ---- GELU, tanh form: y = x (1 + tanh u) / 2, u = ROOT (x + CUBIC x^3)

#define ROOT REAL(0.79788456080286535588)       // sqrt(2 / pi)
#define CUBIC REAL(0.044715)

extern "C" __global__ void gelu_forward(const REAL* x, REAL* y, Int size) {
    for (Int i = (Int)blockIdx.x * blockDim.x + threadIdx.x; i < size; i += (Int)gridDim.x * blockDim.x) {
        REAL v = x[i];
        y[i] = REAL(0.5) * v * (1 + tanh(ROOT * (v + CUBIC * (v * v * v))));
    }
}

extern "C" __global__ void gelu_backward(const REAL* gy, const REAL* x, REAL* gx, Int size) {
    for (Int i = (Int)blockIdx.x * blockDim.x + threadIdx.x; i < size; i += (Int)gridDim.x * blockDim.x) {
        REAL v = x[i];
        REAL t = tanh(ROOT * (v + CUBIC * (v * v * v)));        // once more: cheaper than to read it back
        REAL dt = (1 - t * t) * (ROOT * (1 + 3 * CUBIC * (v * v)));
        gx[i] = gy[i] * (REAL(0.5) * (1 + t + v * dt));
    }
}

// ---- GELU, exact form: y = x (1 + erf(x / sqrt(2))) / 2

#define HALF_ROOT REAL(0.70710678118654752440)  // 1 / sqrt(2)
#define DENSITY REAL(0.39894228040143267794)    // of the normal distribution at 0: 1 / sqrt(2 pi)

extern "C" __global__ void gelu_erf_forward(const REAL* x, REAL* y, Int size) {
    for (Int i = (Int)blockIdx.x * blockDim.x + threadIdx.x; i < size; i += (Int)gridDim.x * blockDim.x)
        y[i] = REAL(0.5) * x[i] * (1 + erf(HALF_ROOT * x[i]));
}

extern "C" __global__ void gelu_erf_backward(const REAL* gy, const REAL* x, REAL* gx, Int size) {
    for (Int i = (Int)blockIdx.x * blockDim.x + threadIdx.x; i < size; i += (Int)gridDim.x * blockDim.x) {
        REAL v = x[i];
        gx[i] = gy[i] * (REAL(0.5) * (1 + erf(HALF_ROOT * v)) + v * (DENSITY * exp(REAL(-0.5) * (v * v))));
    }
}

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

// out[p, c] = sum over the rows r of part p of in[r, c].  Blocks of 32 x 8 threads, one for 32 columns of a part.
extern "C" __global__ void column_sums(const REAL* in, REAL* out, Int rows, int columns, int parts) {
    __shared__ REAL sums[8][32];
    int across = (columns + 31) / 32, part = blockIdx.x / across, c = blockIdx.x % across * 32 + threadIdx.x;
    REAL sum = 0;
    if (c < columns)
        UNROLL for (Int r = part * 8 + threadIdx.y; r < rows; r += 8 * parts) sum += in[r * columns + c];
    sums[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y > 0 || c >= columns) return;
    for (int i = 1; i < 8; i++) sum += sums[i][threadIdx.x];
    out[(Int)part * columns + c] = sum;
}

// ---- Softmax cross-entropy: loss_b = -sum_k target_bk log softmax(logits_b)_k

// The target is a class number, or a row of probabilities where `soft`; then a share `smoothing` of it is spread evenly.
__device__ REAL target(const Int* labels, const REAL* probabilities, int soft, REAL smoothing, Int row, int k,
                       int classes) {
    REAL t = soft ? probabilities[row * classes + k] : REAL(labels[row] == k);
    return t * (1 - smoothing) + smoothing / classes;
}

// saved, (rows, 3): the largest logit, the log of the sum of exp(logit - largest), the sum of the targets.
extern "C" __global__ void cross_entropy_forward(const REAL* logits, const Int* labels, const REAL* probabilities,
                                                 int soft, REAL smoothing, REAL* losses, REAL* saved, Int rows,
                                                 int classes) {
    Int row = (Int)blockIdx.x * blockDim.y + threadIdx.y;
    bool inside = row < rows;
    if (!inside) row = 0;
    const REAL* in = logits + row * classes;
    REAL largest = in[0];
    for (int k = threadIdx.x; k < classes; k += blockDim.x) largest = in[k] > largest ? in[k] : largest;
    largest = row_max(largest);
    REAL sum = 0;
    for (int k = threadIdx.x; k < classes; k += blockDim.x) sum += exp(in[k] - largest);
    REAL log_sum = log(row_sum(sum));
    REAL loss = 0, mass = 0;
    for (int k = threadIdx.x; k < classes; k += blockDim.x) {
        REAL t = target(labels, probabilities, soft, smoothing, row, k, classes);
        if (t != 0) loss += t * (log_sum - (in[k] - largest));       // 0 times infinity is 0 here
        mass += t;
    }
    loss = row_sum(loss);
    mass = row_sum(mass);
    if (!inside || threadIdx.x > 0) return;
    losses[row] = loss;
    saved[row * 3] = largest;
    saved[row * 3 + 1] = log_sum;
    saved[row * 3 + 2] = mass;
}

extern "C" __global__ void cross_entropy_backward(const REAL* gy, const REAL* logits, const Int* labels,
                                                  const REAL* probabilities, int soft, REAL smoothing,
                                                  const REAL* saved, REAL* gx, Int rows, int classes) {
    for (Int i = (Int)blockIdx.x * blockDim.x + threadIdx.x; i < rows * classes; i += (Int)gridDim.x * blockDim.x) {
        Int row = i / classes;
        REAL p = exp(logits[i] - saved[row * 3] - saved[row * 3 + 1]);
        REAL t = target(labels, probabilities, soft, smoothing, row, i % classes, classes);
        gx[i] = gy[0] * (p * saved[row * 3 + 2] - t);
    }
}

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

// arrays, (2, count): where the means lie, and what they move towards by a share.
extern "C" __global__ void weight_average(const Address* arrays, const Int* sizes, int count, const int* owner,
                                          const int* number, int chunk, REAL share) {
    int which = owner[blockIdx.x];
    REAL* mean = (REAL*)arrays[which];
    const REAL* p = (const REAL*)arrays[count + which];
    Int start = (Int)number[blockIdx.x] * chunk, size = sizes[which];
    Int end = start + chunk < size ? start + chunk : size;
    for (Int i = start + threadIdx.x; i < end; i += blockDim.x) mean[i] += share * (p[i] - mean[i]);
}

// arrays, (4, count): where the parameters, their gradients, and both means lie.  The gradients count `factor` times.
extern "C" __global__ void adamw(const Address* arrays, const Int* sizes, const REAL* weight_decays, int count,
                                 const int* owner, const int* number, int chunk, const REAL* factor, int scaled, REAL lr,
                                 REAL one_minus_beta1, REAL one_minus_beta2, REAL eps, REAL m_bias, REAL v_bias) {
    int which = owner[blockIdx.x];
    REAL* p = (REAL*)arrays[which];
    const REAL* g = (const REAL*)arrays[count + which];
    REAL* m = (REAL*)arrays[2 * count + which];
    REAL* v = (REAL*)arrays[3 * count + which];
    REAL scale = scaled ? factor[0] : REAL(1);
    REAL keep = 1 - lr * weight_decays[which];
    Int start = (Int)number[blockIdx.x] * chunk, size = sizes[which];
    Int end = start + chunk < size ? start + chunk : size;
    for (Int i = start + threadIdx.x; i < end; i += blockDim.x) {
        REAL gradient = g[i] * scale;
        REAL mean = m[i] + one_minus_beta1 * (gradient - m[i]);
        REAL square = v[i] + one_minus_beta2 * (gradient * gradient - v[i]);
        m[i] = mean;
        v[i] = square;
        p[i] = p[i] * keep - lr / m_bias * mean / (sqrt(square / v_bias) + eps);
    }
}
