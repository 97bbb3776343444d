// ---- All parameters at once.  Block b works on chunk number[b], of `chunk` elements, of array owner[b].

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
