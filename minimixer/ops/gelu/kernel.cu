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
